package sandbox

import (
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"math/big"
	"regexp"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

var (
	phonePattern = regexp.MustCompile(`^[0-9]{7,15}$`)
	bsuidPattern = regexp.MustCompile(`^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$`)
)

var (
	firstNames = []string{
		"Ada", "Amara", "Bruno", "Camila", "Chen", "Dalia", "Elif", "Emeka", "Farah", "Giulia", "Hana", "Ines",
		"Jonas", "Kofi", "Leila", "Lucía", "Mateo", "Mila", "Nadia", "Noor", "Omar", "Priya", "Ravi", "Sofia",
		"Tomás", "Uma", "Viktor", "Wanjiru", "Yuki", "Zoe",
	}
	lastNames = []string{
		"Abebe", "Almeida", "Bauer", "Castro", "Demir", "Diallo", "Eze", "Ferrari", "Gupta", "Haddad", "Ito",
		"Jensen", "Kaya", "Lindqvist", "Mbeki", "Moreau", "Nakamura", "Novak", "Okafor", "Patel", "Quiroga",
		"Rossi", "Santos", "Silva", "Tanaka", "Vargas", "Weber", "Yilmaz",
	}
)

// newID makes up the identity of somebody new: a phone number in an area code
// that belongs to nobody, or a BSUID. ok is false for any other kind.
func newID(kind string) (id string, ok bool) {
	switch kind {
	case "phone":
		return fmt.Sprintf("1555%07d", randomBelow(1e7)), true
	case "bsuid":
		return fmt.Sprintf("US.%018d", randomBelow(1e18)), true
	}
	return "", false
}

// personOf is who has this identity. ok is false if it is neither a phone number nor a BSUID.
func personOf(id string) (p fake.Person, ok bool) {
	switch {
	case phonePattern.MatchString(id):
		return fake.Person{Phone: id, Name: nameOf(id)}, true
	case bsuidPattern.MatchString(id):
		return fake.Person{BSUID: id, Name: nameOf(id)}, true
	}
	return fake.Person{}, false
}

// nameOf gives an identity the same name in every process.
func nameOf(id string) string {
	h := fnv.New64a()
	h.Write([]byte(id))
	sum := h.Sum64()
	first := sum % uint64(len(firstNames))
	last := sum / uint64(len(firstNames)) % uint64(len(lastNames))
	return firstNames[first] + " " + lastNames[last]
}

func randomBelow(n int64) int64 {
	i, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err) // crypto/rand.Reader never fails
	}
	return i.Int64()
}
