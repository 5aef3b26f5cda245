package main

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The JUnit format, as far as CI systems agree on it.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class    string         `xml:"classname,attr"`
		Name     string         `xml:"name,attr"`
		Failures []junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// junit prints a report for CI systems: a suite for each file.
func (o output) junit(report *testReport) error {
	var all junitSuites
	for _, file := range report.Files {
		suite := junitSuite{Name: file.File, Tests: len(file.Dialogues)}
		for _, d := range file.Dialogues {
			one := junitCase{Class: file.File, Name: d.Title}
			for _, f := range d.Failures {
				one.Failures = append(one.Failures, junitFailure{fmt.Sprintf("%s:%d: %s", file.File, f.Line, f.Message), strings.Join(f.Diff, "\n")})
			}
			if len(one.Failures) > 0 {
				suite.Failures++
			}
			suite.Cases = append(suite.Cases, one)
		}
		all.Suites = append(all.Suites, suite)
	}
	data, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	o.printf("%s%s\n", xml.Header, data)
	return nil
}
