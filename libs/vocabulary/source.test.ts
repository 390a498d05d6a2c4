import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { canonicalSource, sourceFault, type SourceType } from './source.js';
import { test } from '../../test/support/testing.js';

const DIGEST = `sha256:${'a'.repeat(64)}`;

test('all spellings of a source are one', () => {
  const spellings: Record<string, string[]> = {
    'npm:left-pad': [
      'npm:left-pad',
      'npm:left-pad ',
      'npm:Left-Pad',
      'npm:left\u200b-pad',
      'npm:l\u0435ft-pad',
      'NPM:left-pad',
    ],
    'npm:@example/memory': ['npm:@example/memory', 'npm:@Example/memory', 'npm:@ex\u0430mple/memory'],
    'pypi:foo-bar': [
      'pypi:foo-bar',
      'pypi:Foo_Bar',
      'pypi:foo.-_bar',
      'pypi:FOO--BAR',
      'pypi: foo-bar',
      'pypi:fo\u043e-bar',
    ],
    'oci:docker.io/library/nginx': [
      'oci:nginx',
      'oci:nginx:1.27',
      'oci:docker.io/library/nginx',
      `oci:nginx@${DIGEST}`,
      'oci:index.docker.io/nginx',
      'oci:registry-1.docker.io/library/nginx',
      'oci:docker.io:443/nginx',
    ],
    'oci:ghcr.io/acme/mcp': [
      'oci:ghcr.io/acme/mcp',
      'oci:GHCR.io/acme/mcp:v1',
      `oci:ghcr.io/acme/mcp:v1@${DIGEST}`,
      'oci:ghcr.io:443/acme/mcp',
    ],
    'oci:registry:443/mcp': ['oci:registry:443/mcp', 'oci:registry:443/mcp:v1'],
    'oci:localhost:5000/mcp': ['oci:localhost:5000/mcp', 'oci:localhost:5000/mcp:latest'],
    'git:github.com/acme/mcp': [
      'git:https://github.com/acme/mcp.git',
      'git:https://GitHub.com/Acme/mcp/',
      'git:git@github.com:acme/mcp.git',
      'git:ssh://git@github.com:22/acme/mcp',
      'git:git+https://github.com/acme/mcp',
      'git:github.com/acme/mcp',
      'git:https://github.com./acme/mcp',
      'git:ssh://git@github.com.:22/acme/mcp',
      'git:git@github.com.:/acme/mcp.git',
      'git:https://github.com/acme/%6dcp',
      'git:ssh://%67ithub.com/acme/mcp',
      'git:https://github.com/acme/mcp.GIT',
      'git:https://github.com/acme//mcp.%67it/',
      'git:GIT+HTTPS://github.com:443/acme/mcp',
      'git:http://github.com:80/acme/mcp',
      'git:git://github.com:9418/acme/mcp',
    ],
    'git:ssh://github.com:443/acme/mcp': ['git:ssh://git@github.com:443/acme/mcp.git'],
    'git:github.com:8443/acme/mcp': ['git:https://github.com:8443/acme/mcp', 'git:ssh://github.com:8443/acme/mcp'],
    'http:mcp.example.com/sse': [
      'http:https://mcp.example.com/sse',
      'http:MCP.example.com:443/sse/',
      'http:http://mcp.example.com:80/sse#top',
      'http:https://mcp.example.com./%73se',
    ],
    'http:mcp.example.com/sse?tenant=a%2Fb': [
      'http:https://mcp.example.com/sse?tenant=a%2Fb',
      'http:mcp.example.com/sse/?tenant=%61%2fb',
    ],
    'http:http://mcp.example.com:443/sse': ['http:http://mcp.example.com:443/sse'],
    'http:mcp.example.com:22/sse': ['http:https://mcp.example.com:22/sse'],
    'file:/opt/server.js': ['file:/opt/server.js', 'file:/opt//./lib/../server.js', 'file:\\opt\\server.js'],
  };
  for (const [canonical, all] of Object.entries(spellings)) {
    for (const each of all) assert.equal(canonicalSource(each), canonical, each);
    assert.equal(canonicalSource(canonical), canonical, 'once more changes nothing');
  }
});

test('different sources stay different, and what is none is itself', () => {
  assert.notEqual(canonicalSource('npm:left-pad'), canonicalSource('npm:left_pad'));
  assert.notEqual(canonicalSource('oci:ghcr.io/acme/mcp'), canonicalSource('oci:ghcr.io/acme/mcp2'));
  assert.notEqual(canonicalSource('file:/opt/Server.js'), canonicalSource('file:/opt/server.js'));
  assert.notEqual(canonicalSource('http:mcp.example.com/sse?id=1'), canonicalSource('http:mcp.example.com/sse?id=2'));
  assert.notEqual(canonicalSource('http:mcp.example.com/a%2Fb'), canonicalSource('http:mcp.example.com/a/b'));
  assert.notEqual(canonicalSource('http:https://example.com:80'), canonicalSource('http:https://example.com'));
  for (const other of ['', 'left-pad', 'cargo:serde', ':x']) assert.equal(canonicalSource(other), other);
});

test('the one spelling of any name is its own', () => {
  const pieces =
    'https:// http:// ssh:// git:// git@ git+ git+https:// host 127.1 . / : 443 80 22 .git .GIT % %6d %2f %2E 25 ? # @ \\ a B docker.io';
  const piece = fc.constantFrom(...pieces.split(' '));
  const name = fc.array(piece, { maxLength: 10 }).map((chosen) => chosen.join(''));
  fc.assert(
    fc.property(fc.constantFrom('git', 'http', 'oci'), name, (type, text) => {
      const once = canonicalSource(`${type}:${text}`);
      assert.equal(canonicalSource(once), once);
    }),
    { numRuns: 5000 },
  );
});

test('a name that does not fit the grammar of its type is refused', () => {
  const good: [SourceType, string][] = [
    ['npm', '@modelcontextprotocol/server-filesystem'],
    ['npm', 'left-pad'],
    ['pypi', 'mcp-server-time'],
    ['pypi', 'Foo_Bar.baz'],
    ['oci', 'registry.example.com/formatter'],
    ['oci', 'nginx:1.27'],
    ['git', 'example/release-notes'],
    ['git', 'git@github.com:acme/mcp.git'],
    ['http', '127.0.0.1:7070'],
    ['http', '[::1]:8080'],
    ['http', 'https://mcp.example.com/mcp'],
    ['file', '/opt/my server/main.js'],
    ['file', '@a/Serv er'],
  ];
  for (const [type, name] of good) assert.equal(sourceFault(type, name), undefined, `${type}:${name}`);
  const bad: [SourceType, string][] = [
    ['npm', 'left-pad '],
    ['npm', 'Left-Pad'],
    ['npm', '.left-pad'],
    ['npm', '_left-pad'],
    ['npm', 'left\u200bpad'],
    ['npm', 'l\u0435ft-pad'],
    ['npm', '@a/b/c'],
    ['npm', 'x'.repeat(215)],
    ['pypi', '-foo'],
    ['pypi', 'foo bar'],
    ['pypi', 'f\u043eo'],
    ['oci', 'ghcr.io/Acme/mcp'],
    ['oci', 'nginx:'],
    ['oci', 'ngin\u0445'],
    ['git', 'https://user:secret@github.com/acme/mcp'],
    ['git', 'file:///etc'],
    ['http', 'mcp.ex\u0430mple.com'],
    ['http', 'ftp://example.com'],
    ['file', ' main.js'],
    ['file', 'main\u202ejs'],
    ['file', 'a\nb'],
  ];
  for (const [type, name] of bad) assert.match(sourceFault(type, name) ?? '', /^needs /, `${type}:${name}`);
});
