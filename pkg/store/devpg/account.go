package devpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is who runs PostgreSQL. PostgreSQL refuses to run as root, so a Parley that is root runs it as somebody else.
type account struct {
	uid, gid uint32
	other    bool // not who we are: processes are started with these ids, and made folders are given to them
}

// accountFor returns the owner of data if data exists, else who should own it.
func accountFor(data string) (account, error) {
	self := account{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}
	info, err := os.Stat(data)
	if err != nil && !os.IsNotExist(err) {
		return account{}, err
	}
	switch {
	case err == nil:
		owner := info.Sys().(*syscall.Stat_t)
		if self.uid != 0 && owner.Uid != self.uid {
			return account{}, fmt.Errorf("%s belongs to uid %d, and this is uid %d: start parley as who started it first (root?)", data, owner.Uid, self.uid)
		}
		return account{uid: owner.Uid, gid: owner.Gid, other: owner.Uid != self.uid}, nil
	case self.uid == 0:
		return unprivileged()
	}
	return self, nil
}

// unprivileged returns the account that root uses. It must be in the user database: initdb asks for its name.
func unprivileged() (account, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return account{uid: uint32(uid), gid: uint32(gid), other: true}, nil
		}
	}
	return account{}, fmt.Errorf("postgres does not run as root, and there is neither a user postgres nor nobody: start parley as an ordinary user")
}

// command is a command of the account. Its environment holds what a program needs to run and nothing else: no secret of Parley, and
// no PG… variable that would change what PostgreSQL does.
func (a account) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C"}
	for _, key := range []string{"PATH", "TMPDIR", "LD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(key); ok {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	dieWithParent(cmd.SysProcAttr)
	if a.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return cmd
}

// makeDir creates a folder that only the account can enter. One that exists must be such a folder already.
func (a account) makeDir(path string) error {
	err := os.Mkdir(path, 0o700)
	if err == nil && a.other {
		return os.Chown(path, int(a.uid), int(a.gid))
	}
	if !os.IsExist(err) {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; !info.IsDir() || owner != a.uid || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a private folder of uid %d", path, a.uid)
	}
	return nil
}
