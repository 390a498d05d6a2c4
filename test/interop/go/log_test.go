package interop

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The running service, from the environment, and what each test needs of it.
type world struct {
	Client
	trace      string
	verifier   note.Verifier
	checkpoint []byte
	tree       tlog.Tree
}

func open(t *testing.T) world {
	t.Helper()
	w := world{Client: Client{os.Getenv("SALLYPORT_URL"), os.Getenv("SALLYPORT_TOKEN")}, trace: os.Getenv("INTEROP_TRACE")}
	if w.URL == "" {
		t.Skip("npm run test:interop starts a service for these tests")
	}
	var published struct {
		Origin string
		Keys   []struct{ ID, Algorithm, PublicKey string }
	}
	ok(t, w.JSON("/.well-known/sallyport-log", &published))
	if len(published.Keys) != 1 || published.Keys[0].Algorithm != "Ed25519" {
		t.Fatalf("the keys are %v", published.Keys)
	}
	text, err := VerifierKey(published.Origin, published.Keys[0].ID, published.Keys[0].PublicKey)
	ok(t, err)
	w.verifier, err = note.NewVerifier(text)
	ok(t, err)
	w.checkpoint, err = w.Get("/log/checkpoint")
	ok(t, err)
	w.tree, err = OpenCheckpoint(w.checkpoint, w.verifier)
	ok(t, err)
	return w
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s was accepted", what)
	}
	t.Logf("%s: %v", what, err)
}

func TestCheckpoint(t *testing.T) {
	w := open(t)
	_, err := OpenCheckpoint(bytes.Replace(w.checkpoint, []byte("\n"), []byte("\n1"), 1), w.verifier)
	refused(t, "another size", err)
	edited := bytes.Clone(w.checkpoint)
	root := []byte(w.tree.Hash.String())
	at := bytes.Index(edited, root)
	edited[at] ^= 1
	_, err = OpenCheckpoint(edited, w.verifier)
	refused(t, "another root", err)
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	other, err := note.NewEd25519VerifierKey(w.verifier.Name(), public)
	ok(t, err)
	otherVerifier, err := note.NewVerifier(other)
	ok(t, err)
	_, err = OpenCheckpoint(w.checkpoint, otherVerifier)
	refused(t, "another key", err)
	_, err = note.NewVerifier(w.verifier.Name() + "+00000000+" + base64.StdEncoding.EncodeToString(append([]byte{1}, public...)))
	refused(t, "a key under another id", err)
}

// The events of a trace, as the leaves that they are: canonical texts, from a bundle.
func (w world) events(t *testing.T) []string {
	t.Helper()
	var bundle struct{ Events []string }
	ok(t, w.JSON("/v1/audit/traces/"+w.trace+"/bundle", &bundle))
	if len(bundle.Events) < 10 {
		t.Fatalf("the bundle has %d events", len(bundle.Events))
	}
	return bundle.Events
}

func (w world) proof(t *testing.T, event string) (Proof, tlog.Tree) {
	t.Helper()
	var head struct{ ID string }
	ok(t, json.Unmarshal([]byte(event), &head))
	text, err := w.Get("/v1/audit/events/" + url.PathEscape(head.ID) + "/proof")
	ok(t, err)
	proof, err := ParseProof(text)
	ok(t, err)
	tree, err := OpenCheckpoint(proof.Checkpoint, w.verifier)
	ok(t, err)
	return proof, tree
}

func TestInclusion(t *testing.T) {
	w := open(t)
	for _, event := range w.events(t) {
		proof, tree := w.proof(t, event)
		leaf := tlog.RecordHash([]byte(event))
		ok(t, tlog.CheckRecord(proof.Hashes, tree.N, tree.Hash, proof.Index, leaf))
	}
	event := w.events(t)[0]
	proof, tree := w.proof(t, event)
	leaf := tlog.RecordHash([]byte(event))
	check := func(what string, hashes tlog.RecordProof, root tlog.Hash, index int64, leaf tlog.Hash) {
		refused(t, what, tlog.CheckRecord(hashes, tree.N, root, index, leaf))
	}
	check("an edited event", proof.Hashes, tree.Hash, proof.Index, tlog.RecordHash([]byte(event+" ")))
	check("another place", proof.Hashes, tree.Hash, proof.Index+1, leaf)
	check("a shorter proof", proof.Hashes[1:], tree.Hash, proof.Index, leaf)
	wrong := tree.Hash
	wrong[0] ^= 1
	check("another root", proof.Hashes, wrong, proof.Index, leaf)
	for at := range proof.Hashes {
		edited := append(tlog.RecordProof{}, proof.Hashes...)
		edited[at][31] ^= 1
		check(fmt.Sprintf("an edited proof (hash %d)", at), edited, tree.Hash, proof.Index, leaf)
	}
}

func (w world) heads(t *testing.T) []tlog.Tree {
	t.Helper()
	var page struct{ Items []struct{ Note string } }
	ok(t, w.JSON("/v1/audit/checkpoints", &page))
	trees := make([]tlog.Tree, 0, len(page.Items))
	for _, item := range page.Items {
		tree, err := OpenCheckpoint([]byte(item.Note), w.verifier)
		ok(t, err)
		trees = append(trees, tree)
	}
	return trees
}

func TestConsistency(t *testing.T) {
	w := open(t)
	heads := w.heads(t)
	if len(heads) < 3 {
		t.Fatalf("there are %d checkpoints", len(heads))
	}
	last := heads[len(heads)-1]
	for _, first := range heads[:len(heads)-1] {
		var answer struct{ Hashes []string }
		ok(t, w.JSON(fmt.Sprintf("/v1/audit/consistency?from=%d&to=%d", first.N, last.N), &answer))
		proof, err := ParseHashes(answer.Hashes)
		ok(t, err)
		ok(t, tlog.CheckTree(proof, last.N, last.Hash, first.N, first.Hash))
		wrong := first.Hash
		wrong[5] ^= 1
		refused(t, "another first root", tlog.CheckTree(proof, last.N, last.Hash, first.N, wrong))
		refused(t, "another first size", tlog.CheckTree(proof, last.N, last.Hash, first.N+1, first.Hash))
		for at := range proof {
			edited := append(tlog.TreeProof{}, proof...)
			edited[at][0] ^= 1
			refused(t, "an edited proof", tlog.CheckTree(edited, last.N, last.Hash, first.N, first.Hash))
		}
	}
}

func TestTiles(t *testing.T) {
	w := open(t)
	tiles := &Tiles{Client: w.Client}
	reader := tlog.TileHashReader(w.tree, tiles)
	root, err := tlog.TreeHash(w.tree.N, reader)
	ok(t, err)
	if root != w.tree.Hash {
		t.Fatal("the tiles lead to another root")
	}
	for _, event := range w.events(t) {
		served, _ := w.proof(t, event)
		// The checkpoint of the proof may be a later one. The leaf is at the same place.
		leaf := tlog.RecordHash([]byte(event))
		if served.Index >= w.tree.N {
			t.Fatal("the event is not in the checkpoint")
		}
		proof, err := tlog.ProveRecord(w.tree.N, served.Index, reader)
		ok(t, err)
		ok(t, tlog.CheckRecord(proof, w.tree.N, w.tree.Hash, served.Index, leaf))
	}
	heads := w.heads(t)
	proof, err := tlog.ProveTree(w.tree.N, heads[0].N, reader)
	ok(t, err)
	ok(t, tlog.CheckTree(proof, w.tree.N, w.tree.Hash, heads[0].N, heads[0].Hash))
	if tiles.Whole == 0 || tiles.Partial == 0 {
		t.Fatalf("%d whole tiles and %d others were read", tiles.Whole, tiles.Partial)
	}
	tiles.Edit = func(_ tlog.Tile, data []byte) { data[0] ^= 1 }
	_, err = tlog.TileHashReader(w.tree, tiles).ReadHashes([]int64{tlog.StoredHashIndex(0, 0)})
	refused(t, "an edited tile", err)
	wrong := w.tree
	wrong.Hash[0] ^= 1
	tiles.Edit = nil
	_, err = tlog.TileHashReader(wrong, tiles).ReadHashes([]int64{tlog.StoredHashIndex(0, 0)})
	refused(t, "tiles under another root", err)
}
