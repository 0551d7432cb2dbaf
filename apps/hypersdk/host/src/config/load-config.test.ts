import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { z } from 'zod'
import { pluginPolicy } from '../providers/plugin-settings.ts'
import { ConfigFile } from './config-schema.ts'
import { loadConfig, type ConfigFlags, type ConfigSurroundings } from './load-config.ts'
import type { HostConfig } from './host-config.ts'

async function load(
  t: TestContext,
  text: string,
  options: { flags?: ConfigFlags; env?: Record<string, string> } = {},
): Promise<{ config: HostConfig; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'hypersdk-config-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  await writeFile(join(directory, 'config.yaml'), text)
  const surroundings: ConfigSurroundings = { env: { HOME: directory, ...options.env }, uid: 1000, cwd: directory }
  return { config: await loadConfig('config.yaml', options.flags, surroundings), directory }
}

async function problemsOf(t: TestContext, text: string): Promise<readonly string[]> {
  try {
    await load(t, text)
  } catch (error) {
    assert.ok(error instanceof PlatformError)
    assert.equal(error.code, 'CONFIG_INVALID')
    return error.details?.['lines'] as string[]
  }
  return []
}

const minimal = `# config.yaml
plugins:
  enabled: true
  directories:
    - ./plugins
`

const advanced = `plugins:
  enabled: true
  hot_reload: true
  directories:
    - /usr/local/lib/hypersdk/plugins
    - /home/user/.hypersdk/plugins
  enabled:
    - digitalocean
    - linode
    - vultr
  disabled:
    - legacy-provider

  # Plugin-specific config
  providers:
    digitalocean:
      timeout: 30s
      max_concurrent_exports: 5
`

test('the minimal example of the documentation is understood', async (t) => {
  const { config, directory } = await load(t, minimal)
  assert.deepEqual(config.plugins.directories, [join(directory, 'plugins')])
  assert.equal(config.plugins.external, true)
  assert.equal(config.plugins.allow, undefined)
  assert.deepEqual(config.notices, [])
})

test('the advanced example with its two enabled keys is understood, with a notice', async (t) => {
  const { config } = await load(t, advanced)
  assert.equal(config.plugins.external, true)
  assert.deepEqual(config.plugins.allow, ['digitalocean', 'linode', 'vultr'])
  assert.deepEqual(config.plugins.deny, ['legacy-provider'])
  assert.equal(config.plugins.providers.get('digitalocean')?.timeoutMs, 30_000)
  assert.equal(config.plugins.providers.get('digitalocean')?.maxConcurrentExports, 5)
  assert.deepEqual(config.notices, [
    'config.yaml:7:3: plugins.enabled: enabled is given twice: the list is read as allow; write allow: for it',
  ])
})

test('enabled alone may be a switch or a list', async (t) => {
  assert.equal((await load(t, 'plugins: {enabled: false}')).config.plugins.external, false)
  const listed = (await load(t, 'plugins: {enabled: [libvirt]}')).config.plugins
  assert.deepEqual([listed.external, listed.allow], [true, ['libvirt']])
})

test('an unknown key is named with file, line, column, path and the nearest key', async (t) => {
  assert.deepEqual(await problemsOf(t, 'plugins:\n  hot_relaod: true\n  providers:\n    libvirt:\n      timeot: 3s\n'), [
    'config.yaml:2:3: plugins.hot_relaod: unknown key; did you mean "hot_reload"?',
    'config.yaml:5:7: plugins.providers.libvirt.timeot: unknown key; did you mean "timeout"?',
  ])
  assert.deepEqual(await problemsOf(t, 'exports: {max_conc: 3}'), [
    'config.yaml:1:11: exports.max_conc: unknown key; did you mean "max_concurrent"?',
  ])
  assert.deepEqual(await problemsOf(t, 'provider:\n  x: {}\n'), [
    'config.yaml:1:1: provider: unknown key; did you mean "providers"?',
  ])
})

test('every problem is told at once, each at its place', async (t) => {
  const lines = await problemsOf(
    t,
    'log_level: loud\nserver: {listen: nowhere}\nplugins:\n  enabled: 3\n  providers:\n    a: {timeout: 30}\nproviders:\n  b: {port: 99999}\n',
  )
  assert.deepEqual(
    lines.map((line) => line.split(': ').slice(0, 2).join(': ')),
    [
      'config.yaml:1:1: log_level',
      'config.yaml:2:10: server.listen',
      'config.yaml:4:3: plugins.enabled',
      'config.yaml:6:9: plugins.providers.a.timeout',
      'config.yaml:8:7: providers.b.port',
    ],
  )
  assert.match(lines[3] ?? '', /must be a duration with a unit/)
})

test('an address that other machines reach is a problem of the file, not of the start', async (t) => {
  const lines = await problemsOf(t, 'server: {listen: "0.0.0.0:80"}')
  assert.match(
    lines[0] ?? '',
    /^config\.yaml:1:10: server\.listen: must be a loopback address, because server\.tls names no certificate/,
  )
  const refused = load(t, '', { flags: { addr: '192.0.2.1:80' } })
  await assert.rejects(refused, { code: 'DAEMON_USAGE', message: /192\.0\.2\.1:80 must be a loopback address/ })
})

test('with a certificate such an address is taken; its files are found beside the configuration', async (t) => {
  const text = 'server: {listen: "0.0.0.0:8443", tls: {certificate: tls/cert.pem, key: /etc/key.pem}}'
  const { config, directory } = await load(t, text)
  const tls = { certificate: join(directory, 'tls/cert.pem'), key: '/etc/key.pem' }
  assert.deepEqual(config.server.listen, { host: '0.0.0.0', port: 8443, tls })
  const moved = await load(t, text, { flags: { addr: '192.0.2.1:443' } })
  assert.equal(moved.config.server.listen?.host, '192.0.2.1')
  assert.match((await problemsOf(t, 'server: {tls: {certificate: a.pem}}'))[0] ?? '', /server\.tls\.key/)
})

test('allowed origins are written as browsers write them', async (t) => {
  const { config } = await load(t, 'server: {allowed_origins: ["https://console.example", "http://localhost:3000"]}')
  assert.deepEqual(config.server.allowedOrigins, ['https://console.example', 'http://localhost:3000'])
  for (const wrong of [
    '*',
    'console.example',
    'https://console.example/',
    'https://Console.example',
    'https://console.example:443',
    'null',
    'file://',
  ]) {
    const [line] = await problemsOf(t, `server: {allowed_origins: ["${wrong}"]}`)
    assert.match(line ?? '', /allowed_origins\[0\]: must be an origin such as/, wrong)
  }
  assert.deepEqual((await load(t, '')).config.server.allowedOrigins, [])
})

test('a slip in a handle is a problem of the file, not a text for the provider', async (t) => {
  const lines = await problemsOf(
    t,
    'providers:\n  a:\n    metadata: {token: "${sceret:do}", key: "x${secret:}", ok: "${env:A}${secret:b}", plain: "$5 {x}"}\n' +
      'plugins: {config: {b/c: {list: ["${TOKEN}"]}}}\n',
  )
  assert.deepEqual(lines, [
    'config.yaml:3:16: providers.a.metadata.token: ${sceret:do} names nothing to fill in; write ${env:NAME} or ${secret:name}',
    'config.yaml:3:39: providers.a.metadata.key: ${secret:} names nothing to fill in; write ${env:NAME} or ${secret:name}',
    'config.yaml:4:33: plugins.config.b/c.list[0]: ${TOKEN} names nothing to fill in; write ${env:NAME} or ${secret:name}',
  ])
})

test('a name an instance cannot have, and two documents in one file, nesting and unknown keys without measure are said in plain words', async (t) => {
  assert.match((await problemsOf(t, 'providers: {"../x": {}}'))[0] ?? '', /name may hold letters, digits/)
  assert.match((await problemsOf(t, '['.repeat(20_000)))[0] ?? '', /nested more than 64 deep/)
  const unknown = Array.from({ length: 100 }, (_, index) => `k${index}: 1`)
  assert.equal((await problemsOf(t, unknown.join('\n'))).length, 20)
  assert.equal((await problemsOf(t, 'a: 1\n---\nb: 2\n'))[0], 'config.yaml:2:1: there is more than one document; keep one')
})

test('other keys given twice, and YAML that cannot be read, are problems with a place', async (t) => {
  assert.deepEqual(await problemsOf(t, 'log_level: info\nlog_level: warn\n'), [
    'config.yaml:2:1: log_level: this key is given twice',
  ])
  assert.match((await problemsOf(t, 'plugins: [1\nb: 2\n'))[0] ?? '', /^config\.yaml:2:1: /)
  assert.match((await problemsOf(t, 'providers: {__proto__: {}}'))[0] ?? '', /cannot be a key/)
  assert.match((await problemsOf(t, 'plugins: {enabled: [a], allow: [b]}'))[0] ?? '', /keep one of them/)
})

test('a scanner is a program by its absolute path, of a name of its own, and is not named for nothing', async (t) => {
  const first = async (scanners: string): Promise<string> => (await problemsOf(t, `plugins: { ${scanners} }`))[0] ?? ''
  assert.match(await first('scanners: { a: { argv: [clamscan] } }'), /argv: must begin with an absolute path/)
  assert.match(await first('scanners: { static: { argv: [/bin/true] } }'), /must be a name of small letters, digits and -/)
  assert.match(await first('scanners: { a: { timeout: 1s } }'), /a: must have either argv, a command, or plugin, an id/)
  assert.match(
    await first('scanners: { a: { argv: [/bin/true], plugin: acme/a } }'),
    /must have either argv, a command, or plugin/,
  )
  assert.match(await first('scanners: { a: { plugin: words } }'), /plugin: must be a full id, publisher\/name/)
  assert.match(await first('scanners: { a: { plugin: acme/a, digest: abc } }'), /digest: must be sha256: and 64/)
  assert.match(
    await first(`scanners: { a: { argv: [/bin/true], digest: "sha256:${'0'.repeat(64)}" } }`),
    /digest: is for a plugin/,
  )
  assert.match(await first('scanners: { a: { plugin: acme/a, network: true } }'), /network: is for a command/)
  assert.match(await first('scan: false, scanners: { a: { argv: [/bin/true] } }'), /scan is false: keep one of them/)
  assert.match(await first('trust_policy: { file: a }'), /must be a path, or {file, root} for a signed one/)
  assert.match(await first('providers: { s3: { plugin: s3 } }'), /must be a full id, publisher\/name/)
})

test('a file made to grow by aliases is refused instead of filling the memory', async (t) => {
  const levels = Array.from({ length: 30 }, (_, index) => `a${index + 1}: &a${index + 1} [*a${index}, *a${index}]`)
  const lines = await problemsOf(t, ['a0: &a0 [x]', ...levels].join('\n'))
  assert.match(lines.join('\n'), /more than 10000 values/)
})

test('an alias to the list it stands in is a problem with a place', async (t) => {
  const [first] = await problemsOf(t, 'providers: &a [*a]')
  assert.equal(first, 'config.yaml:1:1: providers: values are nested more than 64 deep')
})

test('a named file that is missing is an error, the default file may be missing', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'hypersdk-config-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const surroundings: ConfigSurroundings = { env: { HOME: directory }, uid: 1000, cwd: directory }
  await assert.rejects(loadConfig('none.yaml', {}, surroundings), { code: 'CONFIG_UNREADABLE' })
  const config = await loadConfig(undefined, {}, surroundings)
  assert.equal(config.file, undefined)
  assert.equal(config.dataDirectory, join(directory, '.local/share/hypersdk'))
  assert.deepEqual(config.server.listen, { host: '127.0.0.1', port: 8080 })
  assert.deepEqual(config.plugins.directories, [
    '/usr/local/lib/hypersdk/plugins',
    '/usr/lib/hypersdk/plugins',
    join(directory, '.hypersdk/plugins'),
    join(directory, 'plugins'),
  ])
})

test('flags win over the environment, which wins over the file', async (t) => {
  const text = 'log_level: warn\ndata_directory: ./from-file\nserver: {listen: "127.0.0.1:1"}\n'
  const env = { LOG_LEVEL: 'error', HYPERSDK_ADDR: '127.0.0.1:2', HYPERSDK_DATA_DIRECTORY: './from-env' }
  const byFile = await load(t, text)
  assert.equal(byFile.config.dataDirectory, join(byFile.directory, 'from-file'))
  assert.equal(byFile.config.server.unixSocket, join(byFile.directory, 'from-file/hypervisord.sock'))
  const byEnv = await load(t, text, { env })
  assert.deepEqual([byEnv.config.logLevel, byEnv.config.server.listen?.port], ['error', 2])
  const byFlag = await load(t, text, { env, flags: { addr: ':3', dataDirectory: '/data', logLevel: 'debug', socket: '' } })
  assert.deepEqual(
    [byFlag.config.logLevel, byFlag.config.server.listen?.port, byFlag.config.dataDirectory],
    ['debug', 3, '/data'],
  )
  assert.equal(byFlag.config.server.unixSocket, undefined)
})

test('the plugin path of the environment is added behind the configured directories', async (t) => {
  const { config } = await load(t, 'plugins: {directories: [/a]}', { env: { HYPERSDK_PLUGIN_PATH: '/b:/c::/a' } })
  assert.deepEqual(config.plugins.directories, ['/a', '/b', '/c'])
})

test('an instance is of the type it is named for unless it says another', async (t) => {
  const { config } = await load(
    t,
    'providers:\n  libvirt: {}\n  east: {type: digitalocean, timeout: 5s, metadata: {token: "${secret:do}"}}\n',
  )
  assert.equal(config.providers.get('libvirt')?.type, 'libvirt')
  assert.deepEqual(config.providers.get('east'), {
    type: 'digitalocean',
    options: { metadata: { token: '${secret:do}' }, timeout_ms: 5000 },
  })
})

test('the example configuration that ships has no problems and no notices', async () => {
  const surroundings: ConfigSurroundings = { env: { HOME: '/home/user' }, uid: 1000, cwd: import.meta.dirname }
  const config = await loadConfig('../../hypersdk.example.yaml', {}, surroundings)
  assert.deepEqual(config.notices, [])
  assert.equal(config.providers.get('cloud-east')?.options['timeout_ms'], 20_000)
  assert.deepEqual(config.plugins.waive.get('linode'), ['exec'])
  assert.equal(config.server.unixSocket, '/run/hypersdk/hypervisord.sock')
})

test('plugins that were dropped in are sandboxed unless the file says otherwise; bundled ones keep the host’s default', async (t) => {
  const isolationOf = async (text: string, origin: 'bundled' | 'external'): Promise<unknown> => {
    const { config } = await load(t, text)
    return pluginPolicy(config).isolation?.({ id: 'acme/tool', origin })
  }
  assert.deepEqual(await isolationOf('{}', 'external'), { floor: 'os' })
  assert.deepEqual(await isolationOf('plugins: {isolation: process}', 'external'), { floor: 'process' })
  assert.equal(await isolationOf('plugins: {isolation: process}', 'bundled'), undefined)
  assert.match((await problemsOf(t, 'plugins: {isolation: none}'))[0] ?? '', /plugins\.isolation/)
})

test('audit mode is for the plugins that are named, or for all that can; anything else is no answer', async (t) => {
  const auditOf = async (text: string): Promise<unknown> => (await load(t, text)).config.plugins.audit
  assert.deepEqual(await auditOf('{}'), [])
  assert.deepEqual(await auditOf('plugins: {audit: false}'), [])
  assert.deepEqual(await auditOf('plugins: {audit: [s3, acme/b2]}'), ['s3', 'acme/b2'])
  assert.equal(await auditOf('plugins: {audit: true}'), true)
  assert.match((await problemsOf(t, 'plugins: {audit: s3}'))[0] ?? '', /plugins\.audit/)
})

test('what has no effect is told with its place: a switch that is off, a name on both lists, a file for a directory', async (t) => {
  const off = await load(t, 'plugins:\n  enabled: false\n  allow: [libvirt]\n  directories: [./p]\n')
  assert.deepEqual(off.config.notices, [
    'config.yaml:3:3: plugins.allow: has no effect while plugins.enabled is false',
    'config.yaml:4:3: plugins.directories: has no effect while plugins.enabled is false',
  ])
  const both = await load(t, 'plugins:\n  allow: [libvirt]\n  disabled: [acme/x, libvirt]\n  directories: [config.yaml]\n')
  assert.deepEqual(both.config.notices, [
    'config.yaml:3:22: plugins.disabled[1]: libvirt is allowed as well, and that wins: it is not disabled',
    `config.yaml:4:17: plugins.directories[0]: ${join(both.directory, 'config.yaml')} is a file, no directory`,
  ])
})

test('a variable that an instance needs and that is not set is told with its place, and one that is set is not', async (t) => {
  const text = 'providers:\n  a: { type: libvirt, username: "${env:WHO}", metadata: { list: ["${env:NOT_SET}"] } }\n'
  assert.deepEqual((await load(t, text, { env: { WHO: 'me' } })).config.notices, [
    'config.yaml:2:66: providers.a.metadata.list[0]: NOT_SET is not set in the environment of this process',
  ])
})

test('a handle that is not closed is a problem with its place', async (t) => {
  const [line] = await problemsOf(t, 'providers:\n  a:\n    password: "${env:FOO"\n')
  assert.match(line ?? '', /^config\.yaml:3:5: providers\.a\.password: \$\{env:FOO names nothing to fill in/)
})

test('a value of the wrong kind is told in words, and so is a key without a value', async (t) => {
  assert.deepEqual(await problemsOf(t, 'plugins:\nproviders: []\nexports: { directory: 5 }\nlog_level:\n'), [
    'config.yaml:1:1: plugins: has no value: give it keys with values, or leave it out',
    'config.yaml:2:1: providers: must be keys with values, not a list',
    'config.yaml:3:12: exports.directory: must be a text, not a number',
    'config.yaml:4:1: log_level: must be one of debug, info, warn, error',
  ])
})

test('a call that may take no time at all is refused before anything fails of it', async (t) => {
  const rule = 'must be a duration with a unit, such as "30s", of at least 1ms'
  const text = 'providers: { libvirt: { timeout: 0s } }\nplugins: { providers: { libvirt: { timeout: 0ms } } }\n'
  assert.deepEqual(await problemsOf(t, text), [
    `config.yaml:1:25: providers.libvirt.timeout: ${rule}`,
    `config.yaml:2:36: plugins.providers.libvirt.timeout: ${rule}`,
  ])
})

test('variables that look like meant for the daemon and are not read are told, with the nearest that is', async (t) => {
  const env = {
    HYPERSDK_DATADIRECTORY: '/x',
    HYPERSDK_SECRET_TOKEN: 'x',
    HYPERSDK_URL: 'x',
    DOWNLOAD_WORKERS: '8',
    LOG_LEVEL: 'trace',
  }
  assert.deepEqual((await load(t, '', { env })).config.notices, [
    'environment: HYPERSDK_DATADIRECTORY is not read; did you mean "HYPERSDK_DATA_DIRECTORY"?',
    'environment: DOWNLOAD_WORKERS is not read; write exports.max_concurrent',
    'environment: LOG_LEVEL is trace, which is none of debug, info, warn, error; it is not heeded',
  ])
})

test('a log level of the environment that is none, and empty flags, are refused; an empty variable is none', async (t) => {
  const refused = { code: 'DAEMON_USAGE' }
  await assert.rejects(load(t, '', { env: { HYPERSDK_LOG_LEVEL: 'verbose' } }), {
    ...refused,
    message: /HYPERSDK_LOG_LEVEL is verbose/,
  })
  await assert.rejects(load(t, '', { flags: { dataDirectory: '' } }), { ...refused, message: /--data-directory is empty/ })
  const empty = { HYPERSDK_DATA_DIRECTORY: '', HYPERSDK_LOG_LEVEL: '', HYPERSDK_CONFIG: '' }
  const { config, directory } = await load(t, 'log_level: warn\n', { env: empty })
  assert.deepEqual([config.dataDirectory, config.logLevel], [join(directory, '.local/share/hypersdk'), 'warn'])
})

test('every key of the configuration is in the example', async () => {
  const text = await readFile(new URL('../../hypersdk.example.yaml', import.meta.url), 'utf8')
  const schema = z.toJSONSchema(ConfigFile, { io: 'input', unrepresentable: 'any', reused: 'inline' })
  const missing = keysIn(schema).filter((key) => !new RegExp(`\\b${key}:`).test(text))
  assert.deepEqual(missing, [])
})

test('the configuration that each bundled plugin is described with is taken as it stands there', async (t) => {
  for (const plugin of ['digitalocean', 'disk-images', 'libvirt']) {
    const text = await readFile(new URL(`../../../plugins/${plugin}/README.md`, import.meta.url), 'utf8')
    const [, yaml = ''] = /^```yaml\n(.*?)^```/ms.exec(text) ?? []
    assert.match(yaml, /^providers:/, plugin)
    assert.deepEqual(await problemsOf(t, yaml), [], plugin)
  }
})

/** Names of all keys that a schema has, at any depth. */
function keysIn(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { properties = {}, ...rest } = schema as { properties?: Record<string, unknown> }
  return [...Object.keys(properties), ...[...Object.values(properties), ...Object.values(rest)].flatMap((one) => keysIn(one))]
}
