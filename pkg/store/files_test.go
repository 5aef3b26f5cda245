package store

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestFiles(t *testing.T) {
	s := newStore(t)
	ctx := t.Context()
	for range 2 { // a second time changes nothing
		if err := s.SaveFile(ctx, "aa", "image/png", []byte("picture")); err != nil {
			t.Fatal(err)
		}
	}
	mimeType, content, err := s.File(ctx, "aa")
	if err != nil || mimeType != "image/png" || string(content) != "picture" {
		t.Errorf("%s %q, %v", mimeType, content, err)
	}
	if _, _, err := s.File(ctx, "bb"); !errors.Is(err, ErrNoFile) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := s.SaveFile(ctx, "aa", "image/webp", []byte("picture")); err != nil { // it was said wrong
		t.Fatal(err)
	}
	kept, err := s.KeptFiles(ctx, []string{"cc", "aa", "bb"})
	if err != nil || !maps.Equal(kept, map[string]KeptFile{"aa": {"image/webp", 7}}) {
		t.Errorf("kept %v, %v", kept, err)
	}
}

// Of many who need a file at once, one uploads it.
func TestClaimUploadIsOnes(t *testing.T) {
	s := newStore(t)
	var mine atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, own, err := s.ClaimUpload(t.Context(), "n1", "aa", time.Minute); err != nil {
				t.Error(err)
			} else if own {
				mine.Add(1)
			}
		})
	}
	all.Wait()
	if mine.Load() != 1 {
		t.Fatalf("%d upload it", mine.Load())
	}
	if err := s.KeepUpload(t.Context(), "n1", "aa", "media-1", time.Hour); err != nil {
		t.Fatal(err)
	}
	u, own, err := s.ClaimUpload(t.Context(), "n1", "aa", time.Minute)
	if err != nil || own || u.MediaID != "media-1" || time.Until(u.Expires) < 50*time.Minute {
		t.Errorf("%+v, mine %v, %v", u, own, err)
	}
	if _, own, err = s.ClaimUpload(t.Context(), "n2", "aa", time.Minute); err != nil || !own {
		t.Errorf("another channel: mine %v, %v", own, err)
	}
}

// What has run out, was forgotten, could not be uploaded, or whose uploader has gone,
// is uploaded again.
func TestUploadsAreRenewed(t *testing.T) {
	s := newStore(t)
	ctx := t.Context()
	claim := func(what string, want bool) {
		t.Helper()
		if _, own, err := s.ClaimUpload(ctx, "n1", "aa", time.Minute); err != nil || own != want {
			t.Fatalf("%s: mine %v, %v", what, own, err)
		}
	}
	keep := func(id string, goodFor time.Duration) {
		t.Helper()
		if err := s.KeepUpload(ctx, "n1", "aa", id, goodFor); err != nil {
			t.Fatal(err)
		}
	}
	forget := func(id string) {
		t.Helper()
		if err := s.ForgetUpload(ctx, "n1", "aa", id); err != nil {
			t.Fatal(err)
		}
	}
	if _, own, err := s.ClaimUpload(ctx, "n1", "aa", -time.Second); err != nil || !own {
		t.Fatalf("first: mine %v, %v", own, err)
	}
	claim("the uploader has gone", true)
	claim("somebody uploads", false)
	keep("", time.Hour)
	claim("the upload failed", true)
	keep("media-1", -time.Second)
	claim("it has run out", true)
	keep("media-2", time.Hour)
	forget("media-1")
	claim("an older one was forgotten", false)
	forget("media-2")
	claim("it was forgotten", true)
}
