// Package interop reads a transparency log over HTTP, and verifies it with golang.org/x/mod alone: sumdb/note for
// signatures, sumdb/tlog for trees. It shares no code with the service.
package interop

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Bounds of an answer, in bytes.
const maxAnswer = 64 << 20

// Client asks one service as one auditor.
type Client struct {
	URL   string
	Token string
}

// Get returns the body of an answer. Any status but 200 is an error.
func (c Client) Get(path string) ([]byte, error) {
	request, err := http.NewRequest(http.MethodGet, c.URL+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("authorization", "Bearer "+c.Token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
}

// JSON reads an answer into a value.
func (c Client) JSON(path string, value any) error {
	body, err := c.Get(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, value)
}

// VerifierKey makes the text form of a published Ed25519 key. The id is checked by note.NewVerifier.
func VerifierKey(origin, id, publicKey string) (string, error) {
	key, err := base64.StdEncoding.DecodeString(publicKey)
	if err != nil {
		return "", err
	}
	if _, err := hex.DecodeString(id); err != nil {
		return "", err
	}
	// The algorithm of Ed25519 is 1.
	return origin + "+" + id + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, key...)), nil
}

// OpenCheckpoint verifies the signature of a checkpoint, and returns its tree (C2SP tlog-checkpoint).
func OpenCheckpoint(text []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("the checkpoint is of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// A Proof is a C2SP tlog-proof, as it was read.
type Proof struct {
	Index      int64
	Hashes     tlog.RecordProof
	Checkpoint []byte
}

// ParseProof reads a C2SP tlog-proof. Nothing of it is verified.
func ParseProof(text []byte) (Proof, error) {
	head, checkpoint, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return Proof{}, fmt.Errorf("the proof has another format")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return Proof{}, err
	}
	hashes, err := ParseHashes(lines[2:])
	return Proof{index, hashes, []byte(checkpoint)}, err
}

// ParseHashes reads hashes in base64.
func ParseHashes(texts []string) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, 0, len(texts))
	for _, text := range texts {
		hash, err := tlog.ParseHash(text)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

// Tiles reads tiles over HTTP, for tlog.TileHashReader, which checks each of them against the tree.
type Tiles struct {
	Client
	// Edit may falsify a tile.
	Edit func(tile tlog.Tile, data []byte)
	// Whole and Partial count the tiles that were read.
	Whole, Partial int
}

// Height is that of C2SP tlog-tiles.
func (t *Tiles) Height() int { return 8 }

// ReadTiles fetches tiles by their paths of C2SP tlog-tiles, which leave the height out.
func (t *Tiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, 0, len(tiles))
	for _, tile := range tiles {
		body, err := t.Get("/log/" + strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		if t.Edit != nil {
			t.Edit(tile, body)
		}
		if tile.W == 1<<tile.H {
			t.Whole++
		} else {
			t.Partial++
		}
		data = append(data, body)
	}
	return data, nil
}

// SaveTiles keeps nothing.
func (t *Tiles) SaveTiles([]tlog.Tile, [][]byte) {}
