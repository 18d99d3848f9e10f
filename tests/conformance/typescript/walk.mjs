// Walks the resources of the control plane with Cloudflare's own SDK for TypeScript, and writes one JSON line per step.
// Environment: BASE_URL, TOKEN. Run where `cloudflare` is installed. Exit code 1 when a step went wrong.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
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

await step('a zone is edited without losing anything', async () => {
  const { zone_id } = seen;
  const edited = await client.zones.edit({ zone_id });
  assert.equal(edited.name, 'walk.test');
});

await step('labels are replaced on operations, one by one and by selector', async () => {
  const { zone_id, operation } = seen;
  const selector = { include: { operation_ids: [operation] } };
  await all(labels.user.bulkCreate({ zone_id, body: [{ name: 'red' }, { name: 'blue' }, { name: 'green' }] }));
  await labels.user.update('red', { zone_id, description: 'a colour', metadata: {} });
  const labelled = async (names) => {
    const found = await all(labels.list({ zone_id, source: 'user', with_mapped_resource_counts: true }));
    const counts = found.filter((each) => each.mapped_resources.operations > 0).map((each) => each.name);
    assert.deepEqual(counts.sort(), names);
  };
  await operations.labels.update(operation, { zone_id, user: ['red'], managed: [] });
  await labelled(['red']);
  await all(operations.labels.bulkCreate({ zone_id, selector, user: { labels: ['blue'] } }));
  await labelled(['blue', 'red']);
  await all(operations.labels.bulkUpdate({ zone_id, selector, user: { labels: ['green'] }, managed: { labels: [] } }));
  await labelled(['green']);
  await labels.user.resources.operation.update('red', { zone_id, selector });
  await labels.managed.resources.operation.update('cf-content', { zone_id, selector });
  await labelled(['green', 'red']);
});

await step('what a DELETE names in its body is removed, and nothing else', async () => {
  const { zone_id, operation } = seen;
  const gateway = `/zones/${zone_id}/api_gateway`;
  const selector = { include: { operation_ids: [operation] } };
  await client.delete(`${gateway}/operations/${operation}/labels`, { body: { user: ['red'] } });
  await client.delete(`${gateway}/operations/labels`, { body: { selector, user: { labels: ['green'] } } });
  const counted = await all(labels.list({ zone_id, source: 'user', with_mapped_resource_counts: true }));
  assert.deepEqual(counted.map((each) => each.mapped_resources.operations), [0, 0, 0]);
  await client.delete(`${gateway}/labels/user`, { body: ['red', 'blue'] });
  assert.deepEqual((await all(labels.list({ zone_id, source: 'user' }))).map((each) => each.name), ['green']);
  const before = await all(operations.list({ zone_id, per_page: 50 }));
  const some = before.slice(0, 3).map(({ operation_id }) => ({ operation_id }));
  await client.delete(`${gateway}/operations`, { body: some.filter((each) => each.operation_id !== operation) });
  const after = new Set((await all(operations.list({ zone_id, per_page: 50 }))).map((each) => each.operation_id));
  const gone = before.map((each) => each.operation_id).filter((id) => !after.has(id));
  assert.deepEqual(gone.sort(), some.map((each) => each.operation_id).filter((id) => id !== operation).sort());
});

await step('a token configuration is made, its keys are replaced, and it is removed when no rule names it', async () => {
  const { zone_id } = seen;
  const { configuration, rules } = client.tokenValidation;
  const pair = (kid) => ({ ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid });
  const keys = [{ ...pair('1'), alg: 'ES256' }];
  const token_sources = ['http.request.headers["authorization"][0]'];
  const basis = { zone_id, title: 'walk', description: '', token_type: 'JWT', token_sources };
  const made = await configuration.create({ ...basis, credentials: { keys } });
  assert.deepEqual(made.credentials.keys[0].kid, '1');
  await configuration.edit(made.id, { zone_id, title: 'walked' });
  assert.equal((await configuration.get(made.id, { zone_id })).title, 'walked');
  assert.deepEqual((await all(configuration.list({ zone_id }))).map((each) => each.id), [made.id]);
  const symmetric = { kty: 'oct', kid: '2', alg: 'HS256' };
  const k = randomBytes(32).toString('base64url');
  await configuration.credentials.update(made.id, { zone_id, keys: [{ ...symmetric, k }] });
  const kept = await configuration.credentials.edit(made.id, { zone_id, keys: [symmetric] });
  assert.deepEqual(kept.keys, [symmetric]);

  const expression = `is_jwt_valid("${made.id}")`;
  const rule = { title: 'walk', description: '', action: 'log', enabled: true, expression, selector: {} };
  const first = await rules.create({ zone_id, ...rule });
  const [second] = await all(rules.bulkCreate({ zone_id, body: [{ ...rule, title: 'second' }] }));
  await rules.edit(second.id, { zone_id, position: { before: first.id } });
  const order = async () => (await all(rules.list({ zone_id }))).map((each) => each.title);
  assert.deepEqual(await order(), ['second', 'walk']);
  await all(rules.bulkEdit({ zone_id, body: [{ id: second.id, position: { index: 2 }, action: 'block' }] }));
  assert.deepEqual(await order(), ['walk', 'second']);
  assert.equal((await rules.get(second.id, { zone_id })).action, 'block');
  const preview = await client.post(`/zones/${zone_id}/token_validation/rules/preview`, { body: {} });
  assert.equal(preview.result.included, preview.result.total);
  await refused(Cloudflare.ConflictError, () => configuration.delete(made.id, { zone_id }));
  for (const each of [first, second]) await rules.delete(each.id, { zone_id });
  assert.equal((await configuration.delete(made.id, { zone_id })).id, made.id);
  await refused(Cloudflare.NotFoundError, () => configuration.get(made.id, { zone_id }));
});

await step('the operations come out as OpenAPI', async () => {
  const { zone_id } = seen;
  const { schemas } = await client.apiGateway.schemas.list({ zone_id, host: ['www.walk.test'] });
  assert.equal(schemas.length, 1);
  assert.ok(schemas[0].paths['/users/{var1}'].get);
});

async function walkTokens(tokens, scope) {
  const groups = await all(tokens.permissionGroups.list(scope));
  const group = groups.find((each) => each.name === 'Zone Read');
  const resources = { [`com.cloudflare.api.account.zone.${seen.zone_id}`]: '*' };
  const policies = [{ effect: 'allow', permission_groups: [{ id: group.id }], resources }];
  const made = await tokens.create({ ...scope, name: 'walker', policies });
  const holder = new Cloudflare({ baseURL: BASE_URL, apiToken: made.value, maxRetries: 0 });
  assert.equal((await holder.zones.get({ zone_id: seen.zone_id })).name, 'walk.test');
  await refused(Cloudflare.PermissionDeniedError, () => holder.zones.edit({ zone_id: seen.zone_id }));
  assert.equal((await tokens.verify(scope)).status, 'active');
  assert.equal((await tokens.get(made.id, scope)).value, undefined);
  const rolled = await tokens.value.update(made.id, { ...scope, body: {} });
  await refused(Cloudflare.AuthenticationError, () => holder.zones.get({ zone_id: seen.zone_id }));
  assert.notEqual(rolled, made.value);
  const changed = await tokens.update(made.id, { ...scope, name: 'walker 2', policies, status: 'disabled' });
  assert.deepEqual([changed.name, changed.status], ['walker 2', 'disabled']);
  assert.ok((await all(tokens.list(scope))).some((token) => token.id === made.id));
  await tokens.delete(made.id, scope);
  await refused(Cloudflare.NotFoundError, () => tokens.get(made.id, scope));
}

await step('a token of the user is made, used, rolled, disabled and removed', async () => {
  await walkTokens(client.user.tokens, {});
});

await step('a token of the account is made, used, rolled, disabled and removed', async () => {
  await walkTokens(client.accounts.tokens, { account_id: seen.account });
});

await step('the audit log has it all', async () => {
  const account_id = seen.account;
  const entries = await all(client.auditLogs.list({ account_id, per_page: 50 }));
  assert.ok(entries.length > 20);
  assert.equal((await all(client.user.auditLogs.list({ per_page: 50 }))).length, entries.length);
  const range = { since: '2020-01-01', before: '2100-01-01' };
  const logs = client.accounts.logs.audit;
  const newer = await all(logs.list({ account_id, ...range, limit: 10 }));
  assert.equal(newer.length, entries.length);
  assert.equal(new Set(newer.map((each) => each.id)).size, entries.length);
  await logs.history(newer[0].id, { account_id, ...range, action_time: newer[0].action.time });
  assert.equal((await all(logs.productCategories({ account_id }))).length, 1);
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
  await lists.items.update(made.id, { account_id, body: [{ ip: '10.2.0.1' }, { ip: '10.2.0.2' }] });
  const replaced = await all(lists.items.list(made.id, { account_id }));
  await lists.items.delete(made.id, { account_id, items: [{ id: replaced[0].id }] });
  assert.deepEqual((await all(lists.items.list(made.id, { account_id }))).map((item) => item.ip), [replaced[1].ip]);
  await lists.update(made.id, { account_id, description: 'of a walk' });
  assert.deepEqual((await all(lists.list({ account_id }))).map((list) => list.description), ['of a walk']);
  await lists.delete(made.id, { account_id });
  await refused(Cloudflare.NotFoundError, () => lists.get(made.id, { account_id }));
});

await step('rulesets are made, changed rule by rule, read in every version, and removed', async () => {
  const { zone_id } = seen;
  const rulesets = client.rulesets;
  const phase = 'http_request_firewall_custom';
  await refused(Cloudflare.NotFoundError, () => rulesets.phases.get(phase, { zone_id }));
  const template = await client.apiGateway.expressionTemplate.fallthrough.create({ zone_id, hosts: ['www.walk.test'] });
  const expression = template.expression;
  const first = await rulesets.phases.update(phase, { zone_id, rules: [{ action: 'log', expression, ref: 'a' }] });
  const at = { zone_id, ruleset_id: first.id };
  const position = { before: first.rules[0].id };
  const second = await rulesets.rules.create(first.id, { zone_id, action: 'block', expression, ref: 'b', position });
  assert.deepEqual(second.rules.map((rule) => rule.ref), ['b', 'a']);
  const rule = second.rules[0];
  const third = await rulesets.rules.edit(rule.id, { ...at, action: 'log', expression, enabled: false });
  assert.deepEqual([third.version, third.rules[0].enabled, third.rules[0].version], ['3', false, '2']);
  const fourth = await rulesets.rules.delete(rule.id, at);
  assert.deepEqual(fourth.rules, first.rules);
  assert.deepEqual(await rulesets.get(first.id, { zone_id }), fourth);
  const versions = await all(rulesets.versions.list(first.id, { zone_id }));
  assert.deepEqual(versions.map((each) => each.version), ['4', '3', '2', '1']);
  assert.deepEqual(await rulesets.versions.get('2', at), second);
  assert.equal((await all(rulesets.phases.versions.list(phase, { zone_id }))).length, 4);
  assert.deepEqual(await rulesets.phases.versions.get('1', { zone_id, ruleset_phase: phase }), first);
  await refused(Cloudflare.BadRequestError, () => rulesets.versions.delete('1', at));
  assert.equal((await rulesets.update(first.id, { zone_id, description: 'ours' })).description, 'ours');
  assert.deepEqual((await rulesets.phases.get(phase, { zone_id })).rules, first.rules);
  await refused(Cloudflare.BadRequestError, () =>
    rulesets.rules.create(first.id, { zone_id, action: 'managed_challenge', expression }),
  );
  const limits = await rulesets.create({ zone_id, kind: 'zone', name: 'limits', phase: 'http_ratelimit', rules: [] });
  assert.deepEqual((await all(rulesets.list({ zone_id }))).map((each) => each.id).sort(), [first.id, limits.id].sort());
  assert.deepEqual(await all(rulesets.list({ account_id: seen.account })), []);
  await rulesets.delete(first.id, { zone_id });
  await refused(Cloudflare.NotFoundError, () => rulesets.get(first.id, { zone_id }));
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
