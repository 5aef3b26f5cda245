package process

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// FreeAddr finds an address on which a program can listen: below the ports that the
// kernel gives to outgoing connections, so that none takes it before the program does.
func FreeAddr() (string, error) {
	const first, ports, tries = 20000, 12000, 100
	for range tries {
		addr := fmt.Sprintf("127.0.0.1:%d", first+rand.N(ports))
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		return addr, listener.Close()
	}
	return "", errors.New("no free port")
}
