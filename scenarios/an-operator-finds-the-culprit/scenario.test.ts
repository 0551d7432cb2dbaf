import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { backplane } from '../support/backplane.ts'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

/** Stands still for most of each second, in a function with a name. */
const hog = `class KeptByTheHog {}
export const kept = [new KeptByTheHog()]
function burnsTheProcessor() {
  const endMs = performance.now() + 700
  while (performance.now() < endMs) kept[0].turns = (kept[0].turns ?? 0) + 1
}
setInterval(burnsTheProcessor, 900).unref()`

test(
  'a plugin that burns the processor is named, explained and profiled, by itself and on demand',
  { timeout: 120_000 },
  async (t) => {
    const places = await makePlaces(t)
    await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', code: hog })
    await Hypervisord.configure(places, (text) => `${text}plugins: { directories: [${places.plugins}] }\n`)
    const daemon = await Hypervisord.start(places)

    const doctor = JSON.parse((await backplane(places, 'doctor', '--json')).out)
    assert.ok(
      doctor.layers.some((one: { layer: string; available: boolean }) => one.layer === 'node-permissions' && one.available),
    )
    const idle = await backplane(places, 'profile', 'slow')
    assert.deepEqual([idle.code, /PROFILE_NOT_RUNNING/.test(idle.err)], [69, true], idle.err)

    await daemon.get('/api/providers/slow/vms')
    await daemon.until(async () => (await daemon.plugin('acme/slow')).state === 'active')
    const profiles = join(places.root, 'data', 'profiles')
    const kept = async (): Promise<readonly string[]> =>
      (await readdir(profiles).catch(() => [])).filter((name) => name.endsWith('.cpuprofile'))
    await daemon.until(async () => (await kept()).length > 0)
    const [name = ''] = await kept()
    assert.match(name, /^acme~slow-.*-(?:stall|cpu)\.cpuprofile$/)
    assert.match(await readFile(join(profiles, name), 'utf8'), /burnsTheProcessor/)

    const top = JSON.parse((await backplane(places, 'top', '--sort', 'cpu', '--json')).out)
    assert.equal(top.plugins[0].id, 'acme/slow')
    assert.ok(top.plugins[0].cpu_percent > 20, JSON.stringify(top.plugins[0]))
    const why = await backplane(places, 'why', 'slow')
    assert.match(why.out, /Its event loop stands still at times|It went over its limit of cpu/)
    assert.ok(why.out.includes(name), why.out)

    const path = join(places.root, 'slow.heapsnapshot')
    const heap = await backplane(places, 'profile', 'slow', '--heap', '-o', path)
    assert.equal(heap.code, 0, heap.err)
    assert.match(await readFile(path, 'utf8'), /KeptByTheHog/)
    const cpu = await backplane(places, 'profile', 'slow', '--cpu', '--seconds', '1.5', '-o', '-')
    assert.match(cpu.out, /burnsTheProcessor/, cpu.err)

    const nobody = await backplane(places, 'why', 'slwo')
    assert.deepEqual([nobody.code, /did you mean `acme\/slow`/.test(nobody.err)], [66, true], nobody.err)
    assert.equal(await daemon.stop(), 0)
  },
)

test(
  'what Node denies a plugin is counted and explained as its own word, also where it keeps that to itself',
  { timeout: 120_000 },
  async (t) => {
    const places = await makePlaces(t)
    const listVms = `listVms: () => {
        try { process.getBuiltinModule('node:fs').readFileSync('/etc/hostname') } catch {}
        return [machine]
      },`
    await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods: listVms })
    await Hypervisord.configure(places, (text) => `${text}plugins: { directories: [${places.plugins}] }\n`)
    const daemon = await Hypervisord.start(places)
    assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
    await daemon.until(async () => (await daemon.plugin('acme/slow')).denials === 1)
    const why = (await daemon.get('/api/plugins/acme%2Fslow/why')).text
    assert.match(why, /fs:read \/etc\/hostname: denied by Node's permission model, by the plugin's own word/)
    assert.match((await daemon.get('/metrics')).text, /backplane_plugin_denials_total\{[^}]*acme\/slow[^}]*\} 1\n/)
    assert.equal(await daemon.stop(), 0)
  },
)
