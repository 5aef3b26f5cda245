package sandbox

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
)

// picture is the file behind every id: phones here send no bytes, only what WhatsApp
// tells of them.
func picture(string) (mimeType string, content []byte) {
	const side = 96
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			img.Set(x, y, color.RGBA{R: uint8(90 + x), G: uint8(200 - y), B: uint8(120 + (x+y)/2), A: 255})
		}
	}
	var b bytes.Buffer
	if jpeg.Encode(&b, img, nil) != nil {
		return "", nil // never: it is written to memory
	}
	return "image/jpeg", b.Bytes()
}
