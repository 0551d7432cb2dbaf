import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { hyperctl, type Ran, type RunOptions } from './fixtures/captured-terminal.ts'
import { realDaemon, type RealDaemon } from './fixtures/real-daemon.ts'

let daemon: RealDaemon
before(async () => {
  daemon = await realDaemon()
})
after(() => daemon[Symbol.asyncDispose]())

const run = (args: string, options?: RunOptions): Promise<Ran> => hyperctl(daemon.socket, args.split(' '), options)

const entry = new URL('./hyperctl.ts', import.meta.url).pathname
const spawned = (args: readonly string[]): ReturnType<typeof spawn> =>
  spawn(process.execPath, ['--conditions=@backplane/source', entry, '--socket', daemon.socket, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })

/** As `sha256sum --check` does. */
async function checkSum(out: string): Promise<void> {
  const [sum, file = ''] = out.trim().split('  ')
  assert.equal(hash('sha256', await readFile(file)), sum)
}

test('providers, capabilities and machines are listed, and as JSON with --json', async () => {
  const providers = await run('providers')
  assert.match(providers.out, /^TYPE +INSTANCES +AVAILABLE +PLUGIN +VERSION\n/)
  assert.match(providers.out, /\ndisk-images +samples +yes +hypersdk\/disk-images +\d/)
  assert.equal((await run('providers list')).out, providers.out)
  assert.match((await run('providers capabilities disk-images')).out, /supported_formats +raw/)
  const list = await run('vms list samples')
  assert.match(
    list.out,
    /^ID +NAME +STATE +CPUS +MEMORY +STORAGE +LOCATION\ndb-1\.raw +db-1 .*\nslow-1\.raw .*\nweb-1\.raw +web-1 /,
  )
  const json = JSON.parse((await run('vms list samples --json')).out)
  assert.deepEqual(
    json.vms.map((vm: { id: string }) => vm.id),
    ['db-1.raw', 'slow-1.raw', 'web-1.raw'],
  )
  const [get, search] = [await run('vms get samples web-1.raw --json'), await run('vms search samples web')]
  assert.equal(JSON.parse(get.out).name, 'web-1')
  assert.match(search.out, /web-1\.raw/)
})

test('filters narrow the list, and a wrong one is named', async () => {
  const named = await hyperctl(daemon.socket, [
    'vms',
    'list',
    'samples',
    '--filter',
    'name=web-*',
    '--filter',
    'state=stopped',
    '--json',
  ])
  assert.deepEqual(
    JSON.parse(named.out).vms.map((vm: { id: string }) => vm.id),
    ['web-1.raw'],
  )
  assert.equal(JSON.parse((await run('vms list samples -f tag.team=none --json')).out).count, 0)
  const wrong = await run('vms list samples --filter stat=stopped')
  assert.deepEqual([wrong.code, wrong.out], [2, ''])
  assert.match(wrong.err, /REQUEST_INVALID.*stat/)
  assert.match((await run('vms list samples --filter state')).err, /CLI_USAGE.*key=value/)
})

test('an export is submitted and watched to its end, and its checksum is true', async () => {
  const { code, out, err } = await run('submit --provider samples --vm web-1.raw --format raw --output watched --watch')
  assert.equal(code, 0)
  await checkSum(out)
  assert.match(err, /job \S+ completed \(8\.0 MiB\)\n$/)
})

test('a target that is there is replaced only by who says so', async () => {
  const submit = 'submit --provider samples --vm web-1.raw --format raw --output again --watch'
  assert.equal((await run(submit)).code, 0)
  const refused = await run(submit)
  assert.equal(refused.code, 1)
  assert.match(refused.err, /exists already\n.*overwrite/)
  assert.equal((await run(`${submit} --overwrite`)).code, 0)
})

test('files with many jobs are submitted as YAML and JSON, also from standard input', async () => {
  const yaml = join(daemon.directory, 'batch.yaml')
  await writeFile(
    yaml,
    'jobs:\n  - { provider: samples, vm_id: web-1.raw }\n  - { provider: samples, vm_id: db-1.raw, compress: true }\n',
  )
  const both = await run(`submit ${yaml}`)
  assert.deepEqual([both.code, both.out.trim().split('\n').length], [0, 2])
  const piped = await run('submit -', { stdin: '[{"provider":"samples","vm_id":"db-1.raw"},{"provider":"nowhere","vm_id":"x"}]' })
  assert.deepEqual([piped.code, piped.out.trim().split('\n').length], [1, 1])
  assert.match(piped.err, /^job 2 rejected: PROVIDER_UNKNOWN: .*\n/)
  const ids = [...both.out.trim().split('\n'), piped.out.trim()]
  for (const id of ids) assert.equal((await run(`watch ${id}`)).code, 0)
  const table = await run('query --status completed failed')
  for (const id of ids) assert.match(table.out, new RegExp(`\n${id} +completed +100% +samples +(web|db)-1\\.raw +raw`))
  const one = JSON.parse((await run(`query ${ids[0]} --json`)).out)
  assert.deepEqual([one.total, one.jobs[0].definition.id], [1, ids[0]])
  const limited = await run('query --limit 1')
  assert.match(limited.err, /^\d+ more; use --limit\n$/)
})

test('a job that all of a submission’s parts were refused for is told with the reason', async () => {
  const { code, out, err } = await run('submit --provider samples --vm web-1.raw --output /etc/elsewhere')
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /JOB_TARGET_FORBIDDEN.*\n  Add the directory/)
})

test('what a job wrote to its log is printed, and a finished job is not cancelled', async () => {
  const id = (await run('submit --provider samples --vm db-1.raw')).out.trim()
  assert.equal((await run(`logs ${id} --follow`)).code, 0)
  const logs = await run(`logs ${id}`)
  assert.match(logs.out, /^\d{4}-\d\d-\d\dT\S+ info +\S/)
  assert.deepEqual(JSON.parse((await run(`logs ${id} --json --since 99999`)).out).logs, [])
  const cancelled = await run(`cancel ${id}`)
  assert.deepEqual([cancelled.code, cancelled.out], [1, ''])
  assert.match(cancelled.err, new RegExp(`^${id} not cancelled: .*completed`))
  const unknown = await run('watch nothing')
  assert.deepEqual([unknown.code, unknown.err.split(':')[0]], [66, 'JOB_UNKNOWN'])
})

test('plugins are listed, shown, switched off and on, reloaded and found', async () => {
  assert.match((await run('plugins')).out, /\nhypersdk\/disk-images +\S+ +disk-images +loaded +\w+ /)
  assert.equal((await run('plugins list')).out, (await run('plugins')).out)
  assert.equal(JSON.parse((await run('plugins get disk-images --json')).out).id, 'hypersdk/disk-images')
  const disabled = await hyperctl(daemon.socket, ['plugins', 'disable', 'libvirt', '--reason', 'by a test', '--json'])
  const { status, reason } = JSON.parse(disabled.out)
  assert.equal(status, 'disabled')
  assert.match(reason, /by a test/)
  assert.match((await run('plugins enable hypersdk/libvirt')).out, /\nstatus +loaded\n/)
  assert.match((await run('plugins reload disk-images')).out, /\nstate +active\n/)
  assert.match((await run('plugins reload')).out, /unchanged +\d/)
  assert.match((await run('plugins search libvirt')).out, /hypersdk\/libvirt/)
  assert.match((await run('plugins stats')).out, /^total +\d+\nloaded +\d/)
  const free = await run('plugins release libvirt')
  assert.deepEqual([free.code === 0, free.out], [false, ''])
  assert.match(free.err, /PLUGIN_NOT_QUARANTINED: hypersdk\/libvirt is not in quarantine: it is /)
  const unknown = await run('plugins get libvrit')
  assert.deepEqual([unknown.code, unknown.out], [66, ''])
  assert.match(unknown.err, /did you mean `hypersdk\/libvirt`\?/)
})

test('status tells version and jobs', async () => {
  const { out } = await run('status')
  assert.match(out, /^version +\d+\.\d+\.\d+\n[^]*uptime +\w+\n[^]*completed_jobs +\d+\n/)
})

test('events are one JSON a line, from the first that is kept', async () => {
  const child = spawned(['events', '--since', '0', '--json'])
  assert.ok(child.stdout)
  for await (const line of createInterface(child.stdout)) {
    const { event, data } = JSON.parse(line)
    assert.equal(event, data.type)
    if (event === 'kernel.started') break
  }
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
})

test('a reader that goes away is no failure', async () => {
  const child = spawned(['events', '--since', '0'])
  assert.ok(child.stdout)
  await once(child.stdout, 'data')
  const exited = once(child, 'exit')
  child.stdout.destroy()
  await run('plugins reload disk-images')
  assert.deepEqual(await exited, [0, null])
})

test('that nobody hears what went wrong does not change how it ends', async () => {
  const child = spawned(['frobnicate'])
  child.stderr?.destroy()
  assert.deepEqual(await once(child, 'exit'), [2, null])
})

test('over TCP the token is read from its file', async () => {
  const good = await run(`status --url ${daemon.url} --token-file ${daemon.tokenFile}`)
  assert.deepEqual([good.code, good.err], [0, ''])
  const env = { HYPERSDK_SOCKET: '', HYPERSDK_URL: daemon.url, HYPERSDK_TOKEN_FILE: daemon.tokenFile }
  assert.equal((await run('status', { env })).code, 0)
  const wrong = join(daemon.directory, 'wrong')
  await writeFile(wrong, 'x'.repeat(43))
  const refused = await run(`status --url ${daemon.url} --token-file ${wrong}`)
  assert.deepEqual([refused.code, refused.out], [77, ''])
  assert.match(refused.err, /^SERVER_TOKEN_REFUSED: .*\nRead the token file/)
  const missing = await run(`status --url ${daemon.url} --token-file ${join(daemon.directory, 'none')}`)
  assert.equal(missing.code, 77)
  assert.match(missing.err, /^CLI_TOKEN_UNREADABLE: .*ENOENT/)
})

test('a job is watched to its true end although the daemon is killed meanwhile', async () => {
  const exporting = Promise.withResolvers<void>()
  const watching = run('submit --provider samples --vm slow-1.raw --compress --watch', {
    onOutput: (text) => {
      if (text.includes('exporting')) exporting.resolve()
    },
  })
  await exporting.promise
  await daemon.killAndRestart()
  const { code, out, err } = await watching
  assert.equal(code, 0, err)
  assert.match(err, /the daemon went away; waiting for it to come back\n[^]*completed/)
  await checkSum(out)
})
