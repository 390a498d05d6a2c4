import assert from 'node:assert/strict';
import { imageOf, partsOf } from './container-image.js';
import { test } from '../../../test/support/testing.js';

const image = (line: string): string | undefined => imageOf(line.split(' '));

test('the image is found among the options of every engine', () => {
  const lines = [
    'run -i --rm mcp/time',
    'run -it -e KEY -eB=1 -v /a:/b --name x --network=none --mount type=bind,src=/a,dst=/b mcp/time --local-timezone UTC',
    '--context remote -D container run --interactive --env A=run --entrypoint sh mcp/time run other',
    'run --pull always --user 1000:1000 -p 80:80 -- mcp/time',
  ];
  for (const line of lines) assert.equal(image(line), 'mcp/time', line);
  const others = [
    'compose run time',
    'sandbox run claude',
    'model run ai/x',
    'compose -f run.yml run --rm time',
    'x container run y',
  ];
  for (const line of ['run', 'compose up', 'run -e', 'exec -i box server', ...others]) {
    assert.equal(image(line), undefined, line);
  }
});

test('a short reference means the default registry, and a port is no tag', () => {
  assert.deepEqual(partsOf('alpine'), { repository: 'docker.io/library/alpine' });
  assert.deepEqual(partsOf('mcp/time:1.2'), { repository: 'docker.io/mcp/time', tag: '1.2' });
  assert.deepEqual(partsOf('localhost/time'), { repository: 'localhost/time' });
  const digest = `sha256:${'a'.repeat(64)}`;
  assert.deepEqual(partsOf(`ghcr.io:443/o/time:1@${digest}`), { repository: 'ghcr.io:443/o/time', tag: '1', digest });
  assert.deepEqual(partsOf('time@sha256:short'), { repository: 'docker.io/library/time' });
});
