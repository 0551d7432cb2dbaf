import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { requireLibvirt, requireProgram, startPrivateLibvirt, temporaryDirectory } from '@backplane/testing'
import { operator } from '../../apps/exliar-vfio/host/src/fixtures/operator.ts'

test('with the card of a machine that is NVIDIA’s, the start hides KVM and sets a vendor id, and says which plugin wants it', async (t) => {
  if (!requireProgram(t, 'virsh', 'libvirt-clients')) return
  const { exliar, configure } = await operator(t, 'two-identical-nvidia-grub-initramfs-tools')
  const file = join(await temporaryDirectory(t), 'node.xml')
  writeFileSync(file, testNode)
  await configure(`[vm]\nconnect = "test://${file}"\n`)
  const { out } = await exliar(['vm', 'list'])
  assert.match(out, /^win11 +shut off/m)
  const prepared = (await exliar(['vm', 'prepare', 'win11', '--dry-run', '--json'])).json()
  assert.deepEqual(prepared.config.features, { kvm_hidden: true, hypervisor_hidden: true, hyperv_vendor_id: '123456789ab' })
  assert.deepEqual(
    prepared.changes.map(({ plugin }: { plugin: string }) => plugin),
    ['exliar/nvidia-handler'],
  )
  const shown = await exliar(['vm', 'prepare', 'win11', '--dry-run'])
  assert.match(shown.out, /^exliar\/nvidia-handler changes features\.kvm_hidden, /m)
  assert.match(shown.out, /^\+ .*<hidden state='on'\/>/m)
  assert.match(shown.out, /^\+ .*<vendor_id state='on' value='123456789ab'\/>/m)
  const trace = await exliar(['trace', 'pre-vm-start'])
  assert.match(
    trace.out,
    /exliar\/nvidia-handler code-43: changed, [\d.]+ ms\n[^]*^ +- +"kvm_hidden": false[^]*^ +\+ +"kvm_hidden": true/m,
  )
  assert.match(trace.out, /exliar\/perf-monitor begin: unchanged/)
  assert.equal((await exliar(['status'])).out, 'Nothing was changed.\n')
  for (const verb of ['start', 'prepare', 'restore']) {
    const { code, message } = (await exliar(['vm', verb, 'win1', '--json'])).error()
    assert.deepEqual([code, message], ['VM_UNKNOWN', 'libvirt knows no machine win1; did you mean "win11"?'])
  }
  const nothing = await exliar(['vm', 'restore', 'win11'])
  assert.equal(nothing.code, 0)
  assert.match(nothing.out, /^No start left anything to bring back/)
})

const program = fileURLToPath(new URL('../../apps/exliar-vfio/host/src/exliar.ts', import.meta.url))

test('a real machine is prepared, started, watched and summed up, and has its own configuration again', async (t) => {
  if (!requireLibvirt(t)) return
  const libvirt = await startPrivateLibvirt({ withHooks: true })
  t.after(() => libvirt.stop())
  const home = join(libvirt.root, 'home')
  const root = libvirt.makeDirectory('machine')
  for (const directory of ['etc/libvirt/hooks/qemu.d', 'var/lib', 'run', 'sys/bus/pci/devices', 'proc'])
    mkdirSync(join(root, directory), { recursive: true })
  for (const [path, text] of Object.entries(hider)) {
    mkdirSync(join(home, '.config/exliar-vfio/plugins/hider'), { recursive: true })
    writeFileSync(join(home, '.config/exliar-vfio/plugins/hider', path), text)
  }
  const config = `[plugins]\ndevelopment = true\nisolation = "process"\n[plugins.config.perf-monitor]\ninterval_seconds = 1\n[vm]\nconnect = "${libvirt.uri}"\n`
  writeFileSync(join(home, '.config/exliar-vfio/config.toml'), config)
  const compiled = libvirt.makeDirectory('compiled')
  const isRoot = process.getuid?.() === 0
  if (isRoot) execFileSync('chown', ['-R', 'nobody:', home, root])
  /** As the user that libvirt's hooks run as. */
  const exliar = async (...args: readonly string[]): Promise<string> => {
    const child = spawn(process.execPath, ['--conditions=@backplane/source', program, '--root', root, ...args], {
      cwd: '/',
      env: { NODE_COMPILE_CACHE: compiled, HOME: home, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(isRoot ? { uid: 65_534, gid: 65_534 } : {}),
    })
    let out = ''
    child.stdout.on('data', (part: Buffer) => (out += part.toString()))
    child.stderr.on('data', (part: Buffer) => (out += part.toString()))
    const [code] = (await once(child, 'close')) as [number]
    assert.equal(code, 0, `${args.join(' ')}: ${out}`)
    return out
  }
  writeFileSync(join(libvirt.root, 'tiny.xml'), tiny)
  libvirt.virsh('define', '--validate', '--file', join(libvirt.root, 'tiny.xml'))
  const uuid = libvirt.virsh('domuuid', '--domain', 'tiny').trim()
  const before = libvirt.virsh('dumpxml', '--inactive', '--domain', 'tiny')

  assert.match(await exliar('vm', 'hooks', 'install'), /The hook is in place\./)
  copyFileSync(join(root, 'etc/libvirt/hooks/qemu.d/exliar-vfio'), join(libvirt.hooks, 'qemu.d/exliar-vfio'))
  chmodSync(join(libvirt.hooks, 'qemu.d/exliar-vfio'), 0o755)
  libvirt.give(join(libvirt.hooks, 'qemu.d/exliar-vfio'))

  const started = await exliar('vm', 'start', 'tiny')
  assert.match(started, /local\/hider changes features\.kvm_hidden/)
  assert.match(started, /tiny runs\./)
  const running = libvirt.virsh('dumpxml', '--domain', 'tiny')
  assert.match(running, /<hidden state='on'\/>/)
  assert.match(running, /<vendor_id state='on' value='0123456789'\/>/)
  assert.match(await exliar('status'), /local\/hider exliar\.pre-vm-start +change the machine tiny/)
  const runs = join(root, 'run/exliar-vfio')
  const deadline = AbortSignal.timeout(60_000)
  while (!(await exliar('perf')).includes('tiny')) deadline.throwIfAborted()
  libvirt.virsh('destroy', '--domain', 'tiny')

  await until(() => readdirSync(runs).join() === `${uuid}.log`)
  await until(() => libvirt.virsh('dumpxml', '--inactive', '--domain', 'tiny') === before)
  const { runs: told } = JSON.parse(await exliar('perf', '--json'))
  assert.equal(told.length, 1)
  assert.equal(told[0].machine, 'tiny')
  assert.ok(told[0].runtime_seconds > 0 && told[0].samples > 0, JSON.stringify(told))
  assert.ok(told[0].max_memory_mb > 0, JSON.stringify(told))
  assert.equal(told[0].ended_by, 'destroyed')
  const trace = await exliar('trace', 'post-vm-shutdown')
  assert.match(trace, /exliar\/perf-monitor summarise: unchanged/)
  assert.match(await exliar('trace', 'vm-started'), /exliar\/perf-monitor watch: unchanged/)
  assert.match(await exliar('cleanup', '--yes'), /Everything is as it was before/)
})

async function until(holds: () => boolean): Promise<void> {
  const deadline = AbortSignal.timeout(60_000)
  while (!holds()) {
    deadline.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const tiny = `<domain type='qemu'><name>tiny</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features><devices/></domain>
`

const testNode = `<node>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><test:runstate>5</test:runstate>
    <name>win11</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid><memory>32768</memory><vcpu>1</vcpu>
    <os><type>hvm</type></os><features><acpi/></features>
    <devices><hostdev mode='subsystem' type='pci' managed='yes'>
      <source><address domain='0x0000' bus='0x65' slot='0x00' function='0x0'/></source></hostdev></devices></domain>
</node>
`

/** Does for any machine what the NVIDIA handler does for one with a card: none can be given to this one. */
const hider: Readonly<Record<string, string>> = {
  'plugin.json': JSON.stringify({
    schemaVersion: 1,
    id: 'local/hider',
    version: '1.0.0',
    main: 'index.js',
    requires: { api: '^1.0.0' },
    contributes: { 'exliar.pre-vm-start': { hide: {} } },
    permissions: ['vm:edit'],
  }),
  'index.js': `import { definePlugin } from '@backplane/sdk'
import { preVmStart, withKvmHidden, withVendorId } from '@exliar-vfio/points'
export default definePlugin((scope) => scope.on(preVmStart, 'hide', (config) => withVendorId(withKvmHidden(config), '0123456789')))
`,
}
