// Package draw makes pictures of flows: SVG, Mermaid, and an outline for the
// terminal.
//
// The SVG's layout is the classical one for graphs with a direction (Sugiyama): turn
// back what runs in circles, put every step a row below those that lead to it, order
// each row so that few lines cross, and move the steps below each other. Labels have
// rows of their own between those of the steps, so that no label lies on another.
//
// The package is pure: a description gives the same picture every time.
package draw
