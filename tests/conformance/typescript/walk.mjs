// Walks the resources of the control plane with Cloudflare's own SDK for TypeScript, and writes one JSON line per step.
// Environment: BASE_URL, TOKEN. Run where `cloudflare` is installed. Exit code 1 when a step went wrong.
import assert from 'node:assert/strict';
import Cloudflare from 'cloudflare';

const { BASE_URL, TOKEN } = process.env;
const client = new Cloudflare({ baseURL: BASE_URL, apiToken: TOKEN, maxRetries: 0 });
const operations = client.apiGateway.operations;
const labels = client.apiGateway.labels;
const lists = client.rules.lists;
const seen = {};
let failed = false;

async function step(name, work) {
  let error = null;
  try {
    await work();
  } catch (caught) {
    error = String(caught?.stack ?? caught);
    failed = true;
  }
  console.log(JSON.stringify({ step: name, error }));
}

async function all(pages) {
  const found = [];
  for await (const item of pages) found.push(item);
  return found;
}

async function refused(kind, work) {
  const error = await work().then(() => null, (caught) => caught);
  assert.ok(error instanceof kind, `expected ${kind.name}, got ${error}`);
  assert.ok(error.errors[0].code >= 1000, JSON.stringify(error.errors));
  assert.ok(error.errors[0].message);
  return error;
}

await step('the account is found', async () => {
  const accounts = await all(client.accounts.list());
  assert.equal(accounts.length, 1);
  seen.account = accounts[0].id;
  assert.equal((await client.accounts.get({ account_id: seen.account })).id, seen.account);
});

await step('a zone is made, found, and read', async () => {
  const made = await client.zones.create({ account: { id: seen.account }, name: 'walk.test' });
  assert.equal(made.name, 'walk.test');
  assert.equal(made.status, 'pending');
  seen.zone_id = made.id;
  const found = await all(client.zones.list({ name: 'walk.test' }));
  assert.deepEqual(found.map((zone) => zone.id), [made.id]);
  assert.equal((await client.zones.get({ zone_id: made.id })).name, 'walk.test');
});

await step('session identifiers are replaced as a whole', async () => {
  const { zone_id } = seen;
  const auth_id_characteristics = [{ type: 'header', name: 'X-Session' }, { type: 'cookie', name: 'sid' }];
  await client.apiGateway.configurations.update({ zone_id, auth_id_characteristics });
  const read = await client.apiGateway.configurations.get({ zone_id });
  assert.deepEqual(read.auth_id_characteristics, auth_id_characteristics);
});

await step('an operation is made, and the same again is the same', async () => {
  const { zone_id } = seen;
  const one = { zone_id, method: 'GET', host: 'www.walk.test', endpoint: '/users/{id}' };
  const made = await operations.create(one);
  assert.equal(made.endpoint, '/users/{var1}');
  seen.operation = made.operation_id;
  const again = await operations.create({ ...one, endpoint: '/users/{user}' });
  assert.equal(again.operation_id, made.operation_id);
  assert.equal((await operations.get(made.operation_id, { zone_id })).host, 'www.walk.test');
});

await step('120 operations are made in one call and come back page by page, each once', async () => {
  const { zone_id } = seen;
  const body = Array.from({ length: 120 }, (_, n) => ({ method: 'POST', host: 'www.walk.test', endpoint: `/bulk/${n}` }));
  assert.equal((await all(operations.bulkCreate({ zone_id, body }))).length, 120);
  const found = await all(operations.list({ zone_id, per_page: 50, endpoint: '/bulk/' }));
  assert.equal(found.length, 120);
  assert.equal(new Set(found.map((each) => each.operation_id)).size, 120);
});

await step('filters and orders are those asked for', async () => {
  const { zone_id } = seen;
  const found = await all(operations.list({ zone_id, method: ['GET', 'PUT'], order: 'endpoint', direction: 'desc' }));
  assert.deepEqual(found.map((each) => each.method), ['GET']);
  const other = await all(operations.list({ zone_id, host: ['other.walk.test'] }));
  assert.deepEqual(other, []);
});

await step('labels are made, changed, attached, counted and removed', async () => {
  const { zone_id, operation } = seen;
  const made = await all(labels.user.bulkCreate({ zone_id, body: [{ name: 'login', metadata: { team: 'id' } }] }));
  assert.deepEqual(made.map((each) => each.name), ['login']);
  const edited = await labels.user.edit('login', { zone_id, description: 'sign in' });
  assert.deepEqual([edited.description, edited.metadata], ['sign in', { team: 'id' }]);
  await operations.labels.create(operation, { zone_id, user: ['login'], managed: ['cf-log-in'] });
  const counted = await labels.user.get('login', { zone_id, with_mapped_resource_counts: true });
  assert.equal(counted.mapped_resources.operations, 1);
  const managed = await labels.managed.get('cf-log-in', { zone_id, with_mapped_resource_counts: true });
  assert.equal(managed.mapped_resources.operations, 1);
  const listed = await all(labels.list({ zone_id, source: 'user' }));
  assert.deepEqual(listed.map((each) => each.name), ['login']);
  await labels.user.delete('login', { zone_id });
  await refused(Cloudflare.NotFoundError, () => labels.user.get('login', { zone_id }));
});

await step('an ETag is the version of the zone, and a stale If-Match changes nothing', async () => {
  const { zone_id } = seen;
  const read = () => client.apiGateway.configurations.get({ zone_id }).withResponse();
  const { response } = await read();
  const etag = response.headers.get('etag');
  assert.match(etag, /^"\d+"$/);
  const replace = (name, match) =>
    client.apiGateway.configurations.update(
      { zone_id, auth_id_characteristics: [{ type: 'header', name }] },
      { headers: { 'If-Match': match } },
    );
  await replace('first', etag);
  const error = await replace('second', etag).then(() => null, (caught) => caught);
  assert.equal(error.status, 412);
  const { data, response: after } = await read();
  assert.equal(data.auth_id_characteristics[0].name, 'first');
  assert.equal(Number(after.headers.get('etag').slice(1, -1)), Number(etag.slice(1, -1)) + 1);
});

await step('a list is made, filled, read with a cursor, and removed', async () => {
  const account_id = seen.account;
  const made = await lists.create({ account_id, kind: 'ip', name: 'walk' });
  const body = Array.from({ length: 120 }, (_, n) => ({ ip: `10.1.${n}.1` }));
  const bulk = await lists.items.create(made.id, { account_id, body });
  const done = await lists.bulkOperations.get(bulk.operation_id, { account_id });
  assert.equal(done.status, 'completed');
  const items = await all(lists.items.list(made.id, { account_id, per_page: 50 }));
  assert.equal(new Set(items.map((item) => item.ip)).size, 120);
  assert.equal((await lists.get(made.id, { account_id })).num_items, 120);
  assert.equal((await lists.items.get(items[0].id, { account_id, list_id: made.id })).ip, items[0].ip);
  await lists.update(made.id, { account_id, description: 'of a walk' });
  assert.deepEqual((await all(lists.list({ account_id }))).map((list) => list.description), ['of a walk']);
  await lists.delete(made.id, { account_id });
  await refused(Cloudflare.NotFoundError, () => lists.get(made.id, { account_id }));
});

await step('what is wrong is told by kind of error', async () => {
  const { zone_id } = seen;
  const wrong = await refused(Cloudflare.BadRequestError, () =>
    operations.create({ zone_id, method: 'GET', host: 'www.walk.test', endpoint: 'no slash' }),
  );
  assert.equal(wrong.errors[0].source.pointer, '/endpoint');
  await refused(Cloudflare.NotFoundError, () => operations.get('00000000-0000-4000-8000-000000000000', { zone_id }));
  await refused(Cloudflare.BadRequestError, () => operations.bulkDelete({ zone_id }));
  await refused(Cloudflare.ConflictError, () =>
    client.zones.create({ account: { id: seen.account }, name: 'walk.test' }),
  );
  const stranger = new Cloudflare({ baseURL: BASE_URL, apiToken: 'nobody', maxRetries: 0 });
  await refused(Cloudflare.AuthenticationError, () => stranger.zones.get({ zone_id }));
});

await step('what this version does not have says so', async () => {
  const { zone_id } = seen;
  const error = await refused(Cloudflare.InternalServerError, () =>
    client.apiGateway.discovery.get({ zone_id }),
  );
  assert.equal(error.status, 501);
});

await step('an operation and a zone are removed', async () => {
  const { zone_id } = seen;
  await operations.delete(seen.operation, { zone_id });
  await refused(Cloudflare.NotFoundError, () => operations.get(seen.operation, { zone_id }));
  await client.zones.delete({ zone_id });
  await refused(Cloudflare.NotFoundError, () => client.zones.get({ zone_id }));
});

process.exit(failed ? 1 : 0);
