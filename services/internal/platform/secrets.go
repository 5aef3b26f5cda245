package platform

import "strings"

// secretPrefix begins the variables whose values calls may name: PARLEY_SECRET_CRM, or
// PARLEY_SECRET_CRM_FILE, is ${secret:CRM}.
const secretPrefix = "PARLEY_SECRET_"

// Secrets are the secrets of an environment, by their names.
func Secrets(environ []string) (map[string]string, error) {
	values, err := variables(environ)
	secrets := map[string]string{}
	for name, value := range values {
		if secret, is := strings.CutPrefix(name, secretPrefix); is && value != "" {
			secrets[secret] = value
		}
	}
	return secrets, err
}
