package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/gowebpki/jcs"

	pb "example.org/host/sallyport/v1"
)

// Follower knows what is stopped, and for how long this host may go on without news.
type Follower struct {
	client   pb.DirectivesClient
	instance string
	keys     map[string]ed25519.PublicKey
	lease    time.Duration
	skew     time.Duration
	Ready    chan struct{}

	mu           sync.Mutex
	known, heard at                // the state that this host has, and the latest of which it has heard
	since        uint32            // all directives after this epoch are known
	issued       map[string]uint32 // the epoch of the latest directive, by its target
	sent, ends   time.Time         // of the last round trip that counted; the end of its lease, on the monotonic clock
	newest       time.Time         // when the last answer was issued, on the service's clock
}

type at struct{ incarnation, epoch uint32 }

func (a at) before(b at) bool {
	return a.incarnation < b.incarnation || a.incarnation == b.incarnation && a.epoch < b.epoch
}

// beat is the signed content. Members that are not known here are ignored: beats grow.
type beat struct {
	Epoch, Incarnation uint32
	LeaseMs            int64
	StateRoot, Nonce   string
	IssuedAt           time.Time
	Active             []directive
}

type directive struct {
	ID     string            `json:"id"`
	Target map[string]string `json:"target"`
	Epoch  uint32            `json:"epoch"`
}

func NewFollower(ctx context.Context, client pb.DirectivesClient) (*Follower, error) {
	terms, err := client.GetTerms(ctx, &pb.GetDirectiveTermsRequest{})
	if err != nil {
		return nil, err
	}
	f := &Follower{client: client, instance: uuid.NewString(), keys: map[string]ed25519.PublicKey{}, issued: map[string]uint32{}}
	f.lease, f.skew = time.Duration(terms.LeaseMs)*time.Millisecond, time.Duration(terms.SkewMs)*time.Millisecond
	f.Ready = make(chan struct{})
	for _, key := range terms.Keys {
		x, err := base64.RawURLEncoding.DecodeString(key.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil, errors.New("a key that is none")
		}
		f.keys[key.Kid] = x
	}
	go f.follow(ctx)
	return f, nil
}

// Allow is a decision, with the incarnation of the service's log that this host knew when it asked.
type Allow struct {
	*pb.AuthorizeResponse
	incarnation uint32
}

// Void says why an allow may not be used, and nothing if it may. Ask right before the request leaves, and while it runs.
func (f *Follower) Void(allow *Allow) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	// The monotonic clock of Go stops while the machine sleeps, so the wall clock has to agree with it.
	drift := now.Round(0).Sub(f.sent.Round(0)) - now.Sub(f.sent)
	if now.After(f.ends) || drift.Abs() > f.skew || f.known.before(f.heard) || f.known.incarnation != allow.incarnation {
		return "host_stale"
	}
	if allow.Epoch < f.since {
		return "disabled"
	}
	for _, target := range allow.Targets.GetValues() {
		if f.issued[target] > allow.Epoch {
			return "disabled"
		}
	}
	expires, err := time.Parse(time.RFC3339, allow.GetExpiresAt())
	if service := f.newest.Add(now.Sub(f.sent)); err != nil || !service.Before(expires) {
		return "expired"
	}
	return ""
}

func (f *Follower) Incarnation() uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known.incarnation
}

func (f *Follower) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if f.measure(ctx) == nil {
			f.watch(ctx)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (f *Follower) watch(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := f.client.Watch(ctx, &pb.WatchDirectivesRequest{InstanceId: &f.instance})
	if err != nil {
		return
	}
	for {
		// A heartbeat comes each second. A stream that is silent is given up.
		silent := time.AfterFunc(3*time.Second, cancel)
		message, err := stream.Recv()
		silent.Stop()
		if err != nil {
			return
		}
		pushed, err := f.read(message)
		if err != nil {
			return
		}
		f.mu.Lock()
		if pushedAt := (at{pushed.Incarnation, pushed.Epoch}); f.heard.before(pushedAt) {
			f.heard = pushedAt
		}
		due := f.known.before(f.heard) || time.Until(f.ends) < f.lease/2
		f.mu.Unlock()
		if due && f.measure(ctx) != nil {
			return
		}
	}
}

// measure makes a round trip. A pushed beat may have waited on the way: only an answer to our own question gives a lease.
func (f *Follower) measure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	sent := time.Now()
	message, err := f.client.List(ctx, &pb.ListDirectivesRequest{InstanceId: &f.instance})
	if err != nil {
		return err
	}
	answer, err := f.read(message)
	if err != nil {
		return err
	}
	sort.Slice(answer.Active, func(i, j int) bool { return answer.Active[i].ID < answer.Active[j].ID })
	if err := f.take(answer, sent); err != nil {
		return err
	}
	ack := &pb.AcknowledgeRequest{InstanceId: &f.instance, Epoch: &answer.Epoch, StateRoot: &answer.StateRoot}
	appliedAt := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	ack.AppliedAt = &appliedAt
	if answer.Nonce != "" {
		proof := Digest(map[string]any{"active": answer.Active, "instanceId": f.instance, "nonce": answer.Nonce})
		ack.Nonce, ack.Proof = &answer.Nonce, &proof
	}
	_, err = f.client.Acknowledge(ctx, ack)
	return err
}

// take makes a snapshot the state of this host, if it fits its root and is newer than what is known.
func (f *Follower) take(answer *beat, sent time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	of := at{answer.Incarnation, answer.Epoch}
	if Digest(answer.Active) != answer.StateRoot || of.before(f.known) || !answer.IssuedAt.After(f.newest) {
		return errors.New("an answer that is old, or does not fit its root")
	}
	// A snapshot does not name directives that were issued and lifted before it: earlier allows are void.
	if f.newest.IsZero() || of.incarnation != f.known.incarnation || of.epoch > f.known.epoch+1 {
		f.since, f.issued = of.epoch, map[string]uint32{}
	}
	for _, each := range answer.Active {
		key := targetKey(each.Target)
		f.issued[key] = max(f.issued[key], each.Epoch)
	}
	if f.newest.IsZero() {
		close(f.Ready)
	}
	f.known, f.newest, f.sent = of, answer.IssuedAt, sent
	f.ends = sent.Add(time.Duration(answer.LeaseMs) * time.Millisecond)
	if f.heard.before(of) {
		f.heard = of
	}
	return nil
}

// read gives the content of a beat, from the signed bytes alone.
func (f *Follower) read(message *pb.Beat) (*beat, error) {
	jws := strings.Split(message.GetSigned(), ".")
	if len(jws) != 3 {
		return nil, errors.New("a beat without a JWS")
	}
	var header struct{ Alg, Kid string }
	payload, err := base64.RawURLEncoding.DecodeString(jws[1])
	signature, wrong := base64.RawURLEncoding.DecodeString(jws[2])
	head, bad := base64.RawURLEncoding.DecodeString(jws[0])
	if err := errors.Join(err, wrong, bad); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(head, &header); err != nil {
		return nil, err
	}
	key, known := f.keys[header.Kid]
	if !known || header.Alg != "EdDSA" || !ed25519.Verify(key, []byte(jws[0]+"."+jws[1]), signature) {
		return nil, errors.New("a beat that nobody signed")
	}
	content := &beat{Active: []directive{}}
	return content, json.Unmarshal(payload, content)
}

// targetKey writes a target as `targets` of an allow have it: all, capability:memory, version:memory@1.0.0, operation:memory/read.
func targetKey(target map[string]string) string {
	switch kind := target["type"]; kind {
	case "all":
		return kind
	case "version":
		return kind + ":" + target["capability"] + "@" + target["version"]
	case "operation":
		return kind + ":" + target["capability"] + "/" + target["operation"]
	case "task":
		return kind + ":" + target["taskId"]
	default:
		return kind + ":" + target[kind]
	}
}

// Digest is the SHA-256 of the RFC 8785 text of a value.
func Digest(value any) string {
	text := strings.Builder{}
	encoder := json.NewEncoder(&text)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	canonical, err := jcs.Transform([]byte(text.String()))
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:])
}
