import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { cleanup, command, pluginEvent, postVfioBind, postVmShutdown } from '@exliar-vfio/points'
import {
  openPlugin,
  samplePciDevice,
  sampleVmStats,
  type OpenedPlugin,
  type OpenPluginOptions,
} from '@exliar-vfio/points/testing'
import { webhook, type Webhook } from './fixtures/webhook.ts'
import plugin from './index.ts'

const settings = {
  format: 'auto',
  events: ['vfio-bind', 'vm-shutdown', 'cleanup'],
  plugin_events: [],
  messages_per_minute: 20,
}

async function notifier(t: TestContext, config: object, options: OpenPluginOptions = {}): Promise<OpenedPlugin> {
  const opened = await openPlugin(plugin, { config: { ...settings, ...config }, ...options })
  t.after(() => opened[Symbol.asyncDispose]())
  return opened
}

const textsOf = ({ seen }: Webhook): unknown[] => seen.map(({ body }) => Object(body).text)

test('a bind, the end of a machine and a cleanup are told, in their order, as JSON', async (t) => {
  const hook = await webhook(t)
  const opened = await notifier(t, { webhook_url: `${hook.origin}/exliar` })
  await opened.handle(postVfioBind, 'notify', samplePciDevice({ driver: 'vfio-pci' }))
  await opened.handle(postVmShutdown, 'notify', sampleVmStats())
  await opened.handle(cleanup, 'notify', { reason: 'rollback' })
  await hook.requests(3)
  assert.deepEqual(textsOf(hook), [
    '0000:01:00.0 (GA102 [GeForce RTX 3080]) is driven by vfio-pci now',
    'win11 was shut down after 3600 s',
    'Everything that was changed is being taken back (rollback)',
  ])
  const { at, ...first } = Object(hook.seen[0]?.body) as { at: string }
  assert.ok(!Number.isNaN(Date.parse(at)))
  assert.deepEqual(first, {
    source: 'exliar',
    event: 'vfio-bind',
    text: '0000:01:00.0 (GA102 [GeForce RTX 3080]) is driven by vfio-pci now',
    details: { bdf: '0000:01:00.0', name: 'GA102 [GeForce RTX 3080]', driver: 'vfio-pci', group: 14 },
  })
  assert.deepEqual([hook.seen[0]?.path, hook.seen[0]?.type], ['/exliar', 'application/json'])
})

test('only the events that were asked for are told, and those of plugins by their type', async (t) => {
  const hook = await webhook(t)
  const opened = await notifier(t, { webhook_url: hook.origin, events: ['cleanup'], plugin_events: ['gpu_optimization'] })
  const payload = { gpu_id: '0000:01:00.0', optimizations: ['kvm_hidden'] }
  await opened.handle(postVfioBind, 'notify', samplePciDevice())
  await opened.handle(postVmShutdown, 'notify', sampleVmStats())
  await opened.handle(pluginEvent, 'notify', { type: 'other', payload })
  await opened.handle(pluginEvent, 'notify', { type: 'gpu_optimization', payload })
  await opened[Symbol.asyncDispose]()
  assert.deepEqual(textsOf(hook), ['host says gpu_optimization'])
  assert.deepEqual(Object(hook.seen[0]?.body).details, { plugin: 'host', type: 'gpu_optimization', payload })
})

test('without an address nothing is sent, and a test says so', async (t) => {
  const opened = await notifier(t, {})
  await opened.handle(cleanup, 'notify', { reason: 'cleanup' })
  await assert.rejects(opened.provider(command, 'notify-test').run({ args: [] }), { code: 'NOTIFIER_NOT_CONFIGURED' })
  await opened[Symbol.asyncDispose]()
  assert.deepEqual(opened.lines, [])
})

test('Discord is told in its own form, in which no name calls anybody or means anything', async (t) => {
  const hook = await webhook(t)
  const opened = await notifier(t, { webhook_url: hook.origin, format: 'discord' })
  const name = '@everyone **[free](https://evil.example)**\u202E'
  await opened.handle(postVmShutdown, 'notify', sampleVmStats({ name, ended_by: 'crashed' }))
  await hook.requests(1)
  const { content, embeds, allowed_mentions: mentions } = Object(hook.seen[0]?.body) as Record<string, unknown>
  assert.equal(content, String.raw`\@everyone \*\*\[free\]\(https://evil.example\)\*\*  crashed after 3600 s`)
  assert.deepEqual(mentions, { parse: [] })
  const [embed] = embeds as { title: string; fields: { name: string; value: string }[] }[]
  assert.equal(embed?.title, 'vm-shutdown')
  assert.deepEqual(
    embed?.fields.map((field) => field.name),
    [String.raw`machine`, String.raw`ended\_by`, String.raw`runtime\_seconds`, 'devices'],
  )
})

test('the secret of the address is asked for when a message goes out, and stands in no line', async (t) => {
  const hook = await webhook(t, (response, nth) => void response.writeHead(nth === 1 ? 204 : 404).end())
  const url = `${hook.origin}/api/webhooks/\${secret:hook}?wait=1`
  const opened = await notifier(t, { webhook_url: url }, { secrets: { hook: '12345/a-Very_secret.token\n' } })
  const { run } = opened.provider(command, 'notify-test')
  assert.deepEqual(await run({ args: [] }), { text: `A message was sent to ${hook.origin}.`, data: { origin: hook.origin } })
  assert.equal(hook.seen[0]?.path, '/api/webhooks/12345/a-Very_secret.token?wait=1')
  await assert.rejects(run({ args: [] }), { code: 'NOTIFIER_REFUSED', message: `${hook.origin} does not take the message (404)` })
  await opened.handle(cleanup, 'notify', { reason: 'cleanup' })
  await opened[Symbol.asyncDispose]()
  const written = JSON.stringify(opened.lines.map(({ message, fields }) => [message, String(fields['error'])]))
  assert.match(written, /a message was not sent.*NOTIFIER_REFUSED|does not take the message/)
  assert.doesNotMatch(written, /Very_secret|12345/)
})

for (const [name, secret] of [
  ['is another address', '@evil.example/'],
  ['leads out of its place', 'a/../../b'],
  ['is empty', ' '],
  ['holds a space', 'a b'],
  ['is long', 'a'.repeat(501)],
] as const) {
  test(`a secret that ${name} is not made part of an address`, async (t) => {
    const hook = await webhook(t)
    const opened = await notifier(t, { webhook_url: `${hook.origin}/x/\${secret:hook}` }, { secrets: { hook: secret } })
    await assert.rejects(opened.provider(command, 'notify-test').run({ args: [] }), { code: 'NOTIFIER_SECRET_UNUSABLE' })
    assert.equal(hook.seen.length, 0)
  })
}

test('what plugins say is told without secrets, and no longer than a message can be', async (t) => {
  const hook = await webhook(t)
  const opened = await notifier(t, { webhook_url: hook.origin, plugin_events: ['chatty'] })
  const payload = {
    user_password: 'hunter2',
    nested: { apiKey: 'k', list: [{ token: 't' }], note: 'Authorization: Bearer abc.def at https://me:pw@host/' },
    long: 'x'.repeat(10_000),
    many: Array.from({ length: 1_000 }, (_, at) => at),
    deep: { a: { b: { c: { d: 'bottom' } } } },
  }
  await opened.handle(pluginEvent, 'notify', { type: 'chatty', payload })
  await hook.requests(1)
  const told = Object(hook.seen[0]?.body).details.payload
  assert.equal(told.user_password, '***')
  assert.deepEqual([told.nested.apiKey, told.nested.note], ['***', 'Authorization: Bearer *** at https://***@host/'])
  assert.deepEqual([told.long.length, told.many.length], [500, 25])
  assert.doesNotMatch(JSON.stringify(told), /hunter2|abc\.def|pw@|bottom/)
})

test('a webhook that cannot be reached holds nobody up, and is told in the log', async (t) => {
  const opened = await notifier(t, { webhook_url: 'http://127.0.0.1:1/' })
  assert.equal(await opened.handle(cleanup, 'notify', { reason: 'cleanup' }), undefined)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const disposed = opened[Symbol.asyncDispose]()
  t.mock.timers.tick(2_000)
  t.mock.timers.reset()
  await disposed
  assert.ok(opened.lines.some(({ level }) => level === 'warn'))
})
