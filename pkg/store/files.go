package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNoFile says that there is no file with such a content.
var ErrNoFile = errors.New("no such file")

// SaveFile keeps a file that lies beside a flow, by the digest of what is in it. What it
// is said to be last counts.
func (s *Store) SaveFile(ctx context.Context, sha256, mimeType string, content []byte) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO files AS f (sha256, mime_type, content) VALUES ($1, $2, $3)
		ON CONFLICT (sha256) DO UPDATE SET mime_type = excluded.mime_type WHERE f.mime_type <> excluded.mime_type`, sha256, mimeType, content)
	if err != nil {
		return fmt.Errorf("save a file: %w", err)
	}
	return nil
}

// KeptFile is what a file is that is kept.
type KeptFile struct {
	MimeType string
	Size     int64 // in bytes
}

// KeptFiles says which of some files are kept, by their digests.
func (s *Store) KeptFiles(ctx context.Context, digests []string) (map[string]KeptFile, error) {
	rows, err := s.pool.Query(ctx, `SELECT sha256, mime_type, octet_length(content) FROM files WHERE sha256 = ANY($1)`, digests)
	if err != nil {
		return nil, fmt.Errorf("look for files: %w", err)
	}
	kept := map[string]KeptFile{}
	var digest string
	var file KeptFile
	_, err = pgx.ForEachRow(rows, []any{&digest, &file.MimeType, &file.Size}, func() error {
		kept[digest] = file
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for files: %w", err)
	}
	return kept, nil
}

// File returns what is in a file; ErrNoFile if it is not kept.
func (s *Store) File(ctx context.Context, sha256 string) (mimeType string, content []byte, err error) {
	err = s.pool.QueryRow(ctx, `SELECT mime_type, content FROM files WHERE sha256 = $1`, sha256).Scan(&mimeType, &content)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNoFile
	}
	if err != nil {
		return "", nil, fmt.Errorf("read a file: %w", err)
	}
	return mimeType, content, nil
}

// Upload is what a provider calls a file that was uploaded for a channel.
type Upload struct {
	MediaID string
	Expires time.Time
}

// ClaimUpload returns what a provider calls a file for a channel. If that is not known,
// or not good any more, the claim may be this caller's: it uploads the file within hold,
// and calls KeepUpload. Otherwise another one does, and both results are empty.
func (s *Store) ClaimUpload(ctx context.Context, channel, sha256 string, hold time.Duration) (u Upload, mine bool, err error) {
	u, known, err := s.upload(ctx, channel, sha256)
	if err != nil || known {
		return u, false, err
	}
	tag, err := s.pool.Exec(ctx, `
		INSERT INTO uploads AS u (channel, sha256, claim_until) VALUES ($1, $2, now() + $3)
		ON CONFLICT (channel, sha256) DO UPDATE SET claim_until = excluded.claim_until WHERE u.expires_at <= now() AND u.claim_until <= now()`,
		channel, sha256, hold)
	if err != nil {
		return Upload{}, false, fmt.Errorf("claim an upload: %w", err)
	}
	return Upload{}, tag.RowsAffected() == 1, nil
}

func (s *Store) upload(ctx context.Context, channel, sha256 string) (u Upload, known bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT media_id, expires_at FROM uploads WHERE channel = $1 AND sha256 = $2 AND expires_at > now()`, channel, sha256).
		Scan(&u.MediaID, &u.Expires)
	if errors.Is(err, pgx.ErrNoRows) {
		return Upload{}, false, nil
	}
	if err != nil {
		return Upload{}, false, fmt.Errorf("look for an upload: %w", err)
	}
	return u, true, nil
}

// KeepUpload ends a claim: the provider calls the file so, for some time. Without an
// id the upload has failed, and the next who needs the file may try.
func (s *Store) KeepUpload(ctx context.Context, channel, sha256, mediaID string, goodFor time.Duration) error {
	_, err := s.pool.Exec(ctx, `
		UPDATE uploads SET media_id = $3, expires_at = CASE $3 WHEN '' THEN '-infinity' ELSE now() + $4 END, claim_until = '-infinity'
		 WHERE channel = $1 AND sha256 = $2`, channel, sha256, mediaID, goodFor)
	if err != nil {
		return fmt.Errorf("keep an upload: %w", err)
	}
	return nil
}

// ForgetUpload says that the provider does not have it any more. What has been uploaded
// since stays.
func (s *Store) ForgetUpload(ctx context.Context, channel, sha256, mediaID string) error {
	_, err := s.pool.Exec(ctx, `UPDATE uploads SET expires_at = '-infinity' WHERE channel = $1 AND sha256 = $2 AND media_id = $3`, channel, sha256, mediaID)
	if err != nil {
		return fmt.Errorf("forget an upload: %w", err)
	}
	return nil
}
