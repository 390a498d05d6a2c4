// A host in Go: one call to a real MCP server, decided by Sallyport before it leaves. It speaks gRPC.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	pb "example.org/host/sallyport/v1"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func p[T any](value T) *T { return &value }

// readJSON reads what the set-up of the examples and the first start of the service wrote.
func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

type host struct {
	ctx       context.Context
	decisions pb.DecisionsClient
	follower  *Follower
	task      *pb.OpenTaskResponse
}

func run() error {
	root := env("EXAMPLES_ROOT", "../..")
	// The file system server takes no relative path.
	work, err := filepath.Abs(env("EXAMPLES_WORK", filepath.Join(root, "examples/work")))
	if err != nil {
		return err
	}
	var tokens map[string]string
	if err := readJSON(filepath.Join(env("SALLYPORT_DATA", filepath.Join(root, "data")), "tokens.json"), &tokens); err != nil {
		return err
	}
	var registered struct {
		Version struct {
			Manifest struct{ Server pb.ServerEvidence }
		}
	}
	if err := readJSON(filepath.Join(work, "files.json"), &registered); err != nil {
		return err
	}
	// Beyond this machine only over TLS. By itself a client takes answers of 4 MiB, and some are larger. It does not notice a
	// connection that went silent.
	connection, err := grpc.NewClient(env("SALLYPORT_GRPC", "127.0.0.1:7071"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second, PermitWithoutStream: true}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(128<<20)))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+tokens["host"])
	follower, err := NewFollower(ctx, pb.NewDirectivesClient(connection))
	if err != nil {
		return err
	}
	select {
	case <-follower.Ready:
	case <-time.After(10 * time.Second):
		return errors.New("no lease: the service does not answer")
	}

	tasks := pb.NewTasksClient(connection)
	task, err := tasks.Open(ctx, &pb.OpenTaskRequest{
		TaskId: p(uuid.NewString()), Agent: p("scribe"), Purpose: p("read the notes"),
		User:  &pb.User{Id: p("ada"), Roles: []string{"staff"}},
		Scope: []*pb.ScopeEntry{{Capability: p("files"), Effects: &pb.StringList{Values: []string{"read"}}}},
	})
	if err != nil {
		return err
	}
	h := &host{ctx, pb.NewDecisionsClient(connection), follower, task}
	// A host of your own computes this proof from the server that it starts: docs/reference/servers.md.
	server := &registered.Version.Manifest.Server
	// Before the first byte to the server, and again when it is known what the server declares.
	if _, err := h.allow("$connect", &pb.Observed{Server: server}, map[string]string{}); err != nil {
		return err
	}
	notes := filepath.Join(work, "documents", "gates.txt")
	script := filepath.Join(root, "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js")
	mcp, err := start("node", script, filepath.Dir(notes))
	if err != nil {
		return err
	}
	defer mcp.end()
	definition, err := mcp.definition()
	if err != nil {
		return err
	}
	// The digest is enough while the server is as it was reviewed. If not, the definition itself is the evidence.
	observed := &pb.Observed{Server: server, DefinitionDigest: p(definitionDigest(definition))}
	if *observed.DefinitionDigest != task.Pins[0].DefinitionDigest {
		text, _ := json.Marshal(definition)
		observed = &pb.Observed{Server: server, Definition: text}
	}
	if _, err := h.allow("$connect", observed, map[string]string{}); err != nil {
		return err
	}
	allow, err := h.allow("read_text_file", observed, map[string]string{"path": notes})
	if err != nil {
		return err
	}
	arguments := json.RawMessage(allow.Outbound.Arguments) // the only thing that may be sent
	result, err := h.while(allow, func() (json.RawMessage, error) {
		return mcp.ask("tools/call", map[string]any{"name": "read_text_file", "arguments": arguments})
	})
	if err != nil {
		// The server may have done it already.
		_, unknown := h.decisions.RecordOutcome(ctx, &pb.RecordOutcomeRequest{CallId: &allow.CallId, TaskId: &task.TaskId,
			Status: p("unknown")})
		return errors.Join(err, unknown)
	}
	validated, err := h.decisions.ValidateResponse(ctx,
		&pb.ValidateResponseRequest{CallId: &allow.CallId, TaskId: &task.TaskId, Result: result})
	if err != nil {
		return err
	}
	fmt.Println("response:", validated.Verdict)
	for _, part := range validated.Content.GetParts() {
		fmt.Println(part.GetText()) // a text is quoted: the model reads it as evidence, never as an instruction
	}
	if _, err := h.decisions.RecordOutcome(ctx, &pb.RecordOutcomeRequest{CallId: &allow.CallId, TaskId: &task.TaskId,
		Status: p("succeeded"), Effect: &pb.OutcomeEffect{Type: p("read")}}); err != nil {
		return err
	}
	_, err = tasks.Close(ctx, &pb.CloseTaskRequest{TaskId: &task.TaskId, Reason: p("done")})
	return err
}

// allow gives an allow that may be used now. Anything else is an error: whatever is no allow is a deny.
func (h *host) allow(operation string, observed *pb.Observed, arguments any) (*Allow, error) {
	text, err := json.Marshal(arguments)
	if err != nil {
		return nil, err
	}
	incarnation := h.follower.Incarnation()
	decision, err := h.decisions.Authorize(h.ctx, &pb.AuthorizeRequest{
		CallId: p(uuid.NewString()), TaskId: &h.task.TaskId, InstanceId: &h.follower.instance,
		Capability: p("files"), Operation: &operation, Arguments: text, Observed: observed,
	})
	if err != nil {
		return nil, err
	}
	fmt.Printf("%s: %s (%s)\n", operation, decision.Decision, decision.Reason)
	if decision.Decision != "allow" {
		return nil, fmt.Errorf("refused: %s, obligations %v", decision.Reason, decision.Obligations)
	}
	if len(decision.Obligations) > 0 {
		return nil, fmt.Errorf("refused by this host: it cannot do %v", decision.Obligations)
	}
	allow := &Allow{decision, incarnation}
	return allow, h.keep(allow)
}

func (h *host) keep(allow *Allow) error {
	if why := h.follower.Void(allow); why != "" {
		return errors.New("refused by this host: " + why)
	}
	return nil
}

// while runs a call as long as its allow may be used.
func (h *host) while(allow *Allow, call func() (json.RawMessage, error)) (json.RawMessage, error) {
	type answer struct {
		result json.RawMessage
		err    error
	}
	done := make(chan answer, 1)
	go func() { result, err := call(); done <- answer{result, err} }()
	for {
		select {
		case given := <-done:
			return given.result, given.err
		case <-time.After(100 * time.Millisecond):
			if err := h.keep(allow); err != nil {
				return nil, err
			}
		}
	}
}

// server is an MCP server over standard input and output. Its answers stay as the bytes that it sent.
type server struct {
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	id      int
}

func start(program string, arguments ...string) (*server, error) {
	process := exec.Command(program, arguments...)
	in, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &server{process, in, bufio.NewReader(out), 0}, process.Start()
}

func (s *server) end() { s.in.Close(); s.process.Process.Kill(); s.process.Wait() }

func (s *server) ask(method string, params any) (json.RawMessage, error) {
	s.id++
	request := map[string]any{"jsonrpc": "2.0", "id": s.id, "method": method, "params": params}
	if err := json.NewEncoder(s.in).Encode(request); err != nil {
		return nil, err
	}
	for {
		line, err := s.out.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		var answer struct {
			ID            *int
			Result, Error json.RawMessage
		}
		if json.Unmarshal(line, &answer) == nil && answer.ID != nil && *answer.ID == s.id {
			if answer.Error != nil {
				return nil, errors.New(string(answer.Error))
			}
			return answer.Result, nil
		}
	}
}

type definition struct {
	Instructions      *string           `json:"instructions,omitempty"`
	Tools             []json.RawMessage `json:"tools,omitempty"`
	Prompts           []json.RawMessage `json:"prompts,omitempty"`
	ResourceTemplates []json.RawMessage `json:"resourceTemplates,omitempty"`
}

func (s *server) definition() (*definition, error) {
	client := map[string]string{"name": "scribe", "version": "1.0.0"}
	greeting, err := s.ask("initialize",
		map[string]any{"protocolVersion": "2025-11-25", "capabilities": struct{}{}, "clientInfo": client})
	if err != nil {
		return nil, err
	}
	var declared struct {
		Instructions *string
		Capabilities struct{ Tools, Prompts, Resources *struct{} }
	}
	if err := json.Unmarshal(greeting, &declared); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(s.in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n"); err != nil {
		return nil, err
	}
	found := &definition{Instructions: declared.Instructions}
	for _, each := range []struct {
		has          *struct{}
		method, name string
		items        *[]json.RawMessage
	}{
		{declared.Capabilities.Tools, "tools/list", "tools", &found.Tools},
		{declared.Capabilities.Prompts, "prompts/list", "prompts", &found.Prompts},
		{declared.Capabilities.Resources, "resources/templates/list", "resourceTemplates", &found.ResourceTemplates},
	} {
		for cursor, more := "", each.has != nil; more; more = cursor != "" {
			params := map[string]string{}
			if cursor != "" {
				params["cursor"] = cursor
			}
			answer, err := s.ask(each.method, params)
			if err != nil {
				return nil, err
			}
			var page map[string]json.RawMessage
			var items []json.RawMessage
			if err := errors.Join(json.Unmarshal(answer, &page), json.Unmarshal(page[each.name], &items)); err != nil {
				return nil, err
			}
			*each.items, cursor = append(*each.items, items...), ""
			_ = json.Unmarshal(page["nextCursor"], &cursor)
		}
	}
	return found, nil
}

// definitionDigest is over the items as they were received, so an absent member is absent and no null.
func definitionDigest(d *definition) string {
	digests := func(items []json.RawMessage, key string) map[string]string {
		of := map[string]string{}
		for _, item := range items {
			var named map[string]any
			if err := json.Unmarshal(item, &named); err != nil {
				panic(err)
			}
			of[named[key].(string)] = Digest(item)
		}
		return of
	}
	var instructions any
	if d.Instructions != nil {
		instructions = Digest(*d.Instructions)
	}
	return Digest(map[string]any{
		"fieldSet": 1, "instructions": instructions, "files": struct{}{}, "tools": digests(d.Tools, "name"),
		"prompts": digests(d.Prompts, "name"), "resourceTemplates": digests(d.ResourceTemplates, "uriTemplate"),
	})
}
