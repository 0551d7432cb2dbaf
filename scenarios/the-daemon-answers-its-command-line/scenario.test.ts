import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, test } from 'node:test'
import { compiledCode, temporaryDirectory } from '@backplane/testing'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

const program = fileURLToPath(new URL('../../apps/hypersdk/host/src/hypervisord.ts', import.meta.url))

async function run(
  cwd: string,
  args: readonly string[],
  flags: readonly string[] = [],
): Promise<{ code: number | null; out: string; err: string }> {
  const all = ['--conditions=@backplane/source', ...flags, program, ...args]
  const child = spawn(process.execPath, all, { cwd, env: { ...compiledCode, PATH: process.env['PATH'], HOME: cwd } })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  await once(child, 'close')
  return { code: child.exitCode, out, err }
}

// Each has a daemon of its own, and waits more than it works.
describe('the command line of the daemon', { concurrency: 2 }, () => {
  test('--version tells product, plugin API and Node, --help the flags with examples', async (t) => {
    const directory = await temporaryDirectory(t)
    const version = await run(directory, ['-version'])
    assert.equal(version.code, 0, version.err)
    assert.match(version.out, /^hypervisord \d+\.\d+\.\d+\nplugin API 1\.0\.0\nNode \d+\./)
    const help = await run(directory, ['--help'])
    assert.equal(help.code, 0)
    assert.match(help.out, /--validate[\s\S]*Examples:/)
    const wrong = await run(directory, ['--valdate'])
    assert.equal(wrong.code, 2)
    assert.match(wrong.err, /DAEMON_USAGE: .*did you mean --validate\?/)
  })

  test('--validate prints every problem with its place and exits 78, or 0 with what it noticed', async (t) => {
    const directory = await temporaryDirectory(t)
    await writeFile(join(directory, 'bad.yaml'), 'plugins:\n  hot_relod: true\nlog_level: loud\n')
    const bad = await run(directory, ['--validate', '--config', 'bad.yaml'])
    assert.equal(bad.code, 78)
    assert.match(
      bad.err,
      /^bad\.yaml:2:3: plugins\.hot_relod: unknown key; did you mean "hot_reload"\?\nbad\.yaml:3:1: log_level: /,
    )
    await writeFile(join(directory, 'good.yaml'), 'plugins:\n  enabled: true\n  enabled: [libvirt]\n')
    const good = await run(directory, ['--validate', '--config', 'good.yaml'])
    assert.equal(good.code, 0, good.err)
    assert.match(good.out, /notice: good\.yaml:3:3: plugins\.enabled: .*\n.*no problems/)
    await writeFile(join(directory, 'tls.yaml'), 'server: { listen: "0.0.0.0:0", tls: { certificate: c.pem, key: k.pem } }\n')
    const tls = await run(directory, ['--validate', '--config', 'tls.yaml'])
    assert.deepEqual([tls.code, /SERVER_TLS_INVALID: .*c\.pem.*ENOENT/.test(tls.err)], [78, true], tls.err)
    const missing = await run(directory, ['--validate', '--config', 'none.yaml'])
    assert.equal(missing.code, 66)
    assert.match(missing.err, /CONFIG_UNREADABLE: .*none\.yaml/)
  })

  test('names that no plugin has are told by --validate and in the log, with the nearest, and nothing is run or written for it', async (t) => {
    const places = await makePlaces(t, 'plugins: { directories: [./plugins], disabled: [slwo, libvrit, acme/slow] }\n')
    await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
    const checked = await run(places.root, ['--validate', '--config', places.config])
    assert.equal(checked.code, 0, checked.err)
    const lines = ['slwo now; did you mean "slow"?', 'libvrit now; did you mean "libvirt"?'].map(
      (text) => `plugins.disabled: there is no plugin ${text}`,
    )
    assert.equal(checked.out, `${lines.map((line) => `notice: ${line}\n`).join('')}${places.config}: no problems\n`)
    assert.equal(existsSync(join(places.root, 'data')), false)
    const daemon = await Hypervisord.start(places)
    for (const line of lines) assert.ok(daemon.output.includes(JSON.stringify(line)), daemon.output)
    assert.equal(daemon.output.match(/there is no plugin/g)?.length, 2)
  })

  test('a second daemon on the same data directory is refused and names the first', async (t) => {
    const places = await makePlaces(t)
    const daemon = await Hypervisord.start(places)
    const second = await run(places.root, ['--config', places.config, '--socket', join(places.root, 'other.sock')])
    assert.equal(second.code, 75)
    assert.match(second.err, new RegExp(`DAEMON_ALREADY_RUNNING: .*process ${daemon.child.pid}`))
    assert.equal((await daemon.get('/health')).status, 200)
  })

  test('a required plugin that does not start keeps the daemon from starting, a secrets directory that others may read too', async (t) => {
    const places = await makePlaces(t, 'plugins: { directories: [./plugins], providers: { slow: { criticality: required } } }\n')
    await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', api: '^9.0.0' })
    await writeSlowProvider(join(places.plugins, 'near'), { version: '1.0.0', id: 'acme/near', name: 'near', api: '^9.0.0' })
    const failed = await run(places.root, ['--config', places.config])
    assert.equal(failed.code, 69, failed.err)
    assert.match(failed.err, /DAEMON_REQUIRED_PLUGIN_FAILED: .*acme\/slow/)
    assert.doesNotMatch(failed.err, /DAEMON_REQUIRED_PLUGIN_FAILED: .*acme\/near/, 'others that did not start are not why')

    await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.1' })
    const daemon = await Hypervisord.start(places)
    assert.equal((await daemon.plugin('slow')).criticality, 'required', 'what the operator says counts, not the manifest alone')
    await daemon.post('/api/plugins/slow/disable')
    const notReady = await daemon.get('/readyz')
    assert.deepEqual([notReady.status, notReady.body.reasons], [503, ['required plugin acme/slow is disabled']])
    assert.equal(await daemon.stop(), 0)

    const open = await makePlaces(t, 'secrets: { files: . }\n')
    const { chmod } = await import('node:fs/promises')
    await chmod(open.root, 0o755)
    const exposed = await run(open.root, ['--config', open.config])
    assert.equal(exposed.code, 78, exposed.err)
    assert.match(exposed.err, /SECRETS_EXPOSED/)
  })

  test('an address that is taken is an error that names it', async (t) => {
    const places = await makePlaces(t)
    await Hypervisord.start(places)
    const args = ['--config', places.config, '--data-directory', join(places.root, 'second')]
    const second = await run(places.root, [...args, '--socket', places.socket])
    assert.equal(second.code, 69, second.err)
    assert.match(second.err, /SERVER_SOCKET_OCCUPIED|SERVER_ADDRESS_IN_USE/)
  })

  const throwWhenReady = `const write = process.stderr.write.bind(process.stderr)
process.stderr.write = (text, ...rest) => {
  if (String(text).includes('"ready"')) setTimeout(() => { throw new Error('a defect') })
  return write(text, ...rest)
}`

  test('a defect of the daemon is logged and ends it with 70', async (t) => {
    const places = await makePlaces(t)
    const defect = `data:text/javascript,${encodeURIComponent(throwWhenReady)}`
    const ended = await run(places.root, ['--config', places.config], ['--import', defect])
    assert.equal(ended.code, 70, ended.err)
    assert.match(ended.err, /a defect/)
  })

  test('without hot reload a new plugin waits for SIGHUP', async (t) => {
    const places = await makePlaces(t, 'plugins: { directories: [./plugins], hot_reload: false }\n')
    const daemon = await Hypervisord.start(places)
    await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
    assert.equal(await daemon.plugin('slow'), undefined)
    daemon.child.kill('SIGHUP')
    await daemon.until(async () => (await daemon.plugin('slow')) !== undefined)
    assert.equal(await daemon.stop(), 0)
  })
})
