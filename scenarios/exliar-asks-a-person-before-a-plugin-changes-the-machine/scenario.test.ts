import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { development, operator, type Operator } from '../../apps/exliar-vfio/host/src/fixtures/operator.ts'
import { treeSnapshot } from '../../apps/exliar-vfio/host/src/fixtures/tree-snapshot.ts'

const bdf = '0000:65:00.0'

/** A plugin with a command for each critical operation, and a hook that uses one. */
function binder(permissions: readonly string[], hook = 'gpu-detected'): Readonly<Record<string, string>> {
  const command = (description: string): object => ({ description })
  const manifest = {
    schemaVersion: 1,
    id: 'local/binder',
    version: '2.0.0',
    main: 'index.js',
    requires: { api: '^1.0.0' },
    contributes: {
      'exliar.command': {
        take: command('Takes a card'),
        release: command('Gives it back'),
        boot: command('Starts the kernel with more'),
        unboot: command('Starts the kernel without it'),
        history: command('Tells what was changed'),
      },
      [`exliar.${hook}`]: { act: {} },
    },
    permissions,
    config: { type: 'object', properties: { acts: { enum: ['no', 'bind', 'boot'], default: 'no' } } },
  }
  const module = `import { definePlugin } from '@backplane/sdk'
import { allPoints, bootService, changeService, command, vfioService } from '@exliar-vfio/points'
export default definePlugin((scope) => {
  const vfio = scope.use(vfioService, 'core')
  const boot = scope.use(bootService, 'core')
  const commands = {
    take: async ([bdf]) => (await vfio.bind({ bdf })).bdf,
    release: async ([bdf]) => (await vfio.unbind({ bdf })).bdf,
    boot: async (parameters) => (await boot.add({ parameters })).join(' '),
    unboot: async (parameters) => (await boot.remove({ parameters })).join(' '),
    history: async () => JSON.stringify(await scope.use(changeService, 'core').list(null)),
  }
  for (const [name, run] of Object.entries(commands)) scope.provide(command, name, { run: async ({ args }) => ({ text: await run(args) }) })
  scope.on(allPoints.find(({ id }) => id === 'exliar.${hook}'), 'act', async () => {
    if (scope.config.acts === 'bind') await vfio.bind({ bdf: '0000:17:00.1' })
    if (scope.config.acts === 'boot') await boot.add({ parameters: ['pci=noaer'] })
  })
})
`
  return { 'plugin.json': JSON.stringify(manifest), 'index.js': module }
}

const config = `${development}deny = ["nvidia-handler", "amd-reset", "intel-gvt", "perf-monitor", "notifier"]\n`
const all = ['pci:read', 'vfio:bind', 'boot:edit']

async function machine(
  t: TestContext,
  permissions: readonly string[],
  { acts = 'no', hook = 'gpu-detected' } = {},
): Promise<Operator> {
  const made = await operator(t, 'two-identical-nvidia-grub-initramfs-tools')
  await made.configure(`${config}[plugins.config.binder]\nacts = "${acts}"\n`)
  await made.dropIn('binder', binder(permissions, hook))
  return made
}

test('a plugin that takes a card waits for a person, who reads what and why; the change has its name, and is taken back with all others', async (t) => {
  const { exliar, root } = await machine(t, all)
  const before = treeSnapshot(root)
  const taken = await exliar(['take', bdf], { answers: ['y'] })
  assert.deepEqual([taken.code, taken.out], [0, `${bdf}\n`], taken.err)
  assert.equal(taken.asked.length, 1)
  assert.match(
    taken.asked[0] ?? '',
    /^local\/binder 2\.0\.0 wants to take 0000:65:00\.0 away from its driver and bind it to vfio-pci\n/,
  )
  assert.notDeepEqual(treeSnapshot(root), before)
  const { changes } = (await exliar(['status', '--json'])).json()
  assert.deepEqual(
    changes.map(({ kind, plugin, hook, state }: Record<string, unknown>) => [kind, plugin, hook, state]),
    [['driver-bound', 'local/binder', 'exliar.vfio', 'done']],
  )
  assert.match((await exliar(['status'])).out, /^1 +done +\S+ +local\/binder exliar\.vfio +take 0000:65:00\.0 from nvidia/m)
  assert.match((await exliar(['history'])).out, /"plugin":"local\/binder"/)
  assert.equal((await exliar(['cleanup', '--yes'])).code, 0)
  assert.deepEqual(treeSnapshot(root), before)
})

test('parameters of the kernel are added and removed only when a person says so', async (t) => {
  const { exliar, root } = await machine(t, all)
  const before = treeSnapshot(root)
  const added = await exliar(['boot', 'pci=noaer', 'nohpet'], { answers: ['yes'] })
  assert.equal(added.code, 0, added.err)
  assert.match(added.asked[0] ?? '', /wants to start the kernel with pci=noaer nohpet\n/)
  assert.match(added.out, /quiet splash.* pci=noaer nohpet/)
  const removed = await exliar(['unboot', 'nohpet'], { answers: ['yes'] })
  assert.match(removed.asked[0] ?? '', /wants to start the kernel without nohpet\n/)
  assert.doesNotMatch(removed.out, /nohpet/)
  const { changes } = (await exliar(['status', '--json'])).json()
  const kinds = changes.map(({ kind }: { kind: string }) => kind).filter((kind: string) => kind.startsWith('kernel'))
  assert.deepEqual(kinds, ['kernel-param-added', 'kernel-param-removed'])
  assert.ok(changes.every(({ plugin }: { plugin: string | null }) => plugin === 'local/binder' || plugin === null))
  assert.equal((await exliar(['cleanup', '--yes'])).code, 0)
  assert.deepEqual(treeSnapshot(root), before)
})

test('a no, with its reason, is told to the plugin; where nobody sits at the terminal the answer is no', async (t) => {
  const { exliar, root } = await machine(t, all)
  const before = treeSnapshot(root)
  for (const args of [
    ['take', bdf],
    ['boot', 'pci=noaer'],
  ]) {
    const no = await exliar([...args, '--json'], { answers: ['n, it shows my screen'] })
    assert.equal(no.code, 70, no.err)
    assert.match(JSON.stringify(no.error()), /it shows my screen.*APPROVAL_DENIED/)
    const nobody = await exliar([...args, '--json'])
    assert.equal(nobody.code, 70, nobody.err)
    assert.match(JSON.stringify(nobody.error()), /nobody sits at the terminal.*APPROVAL_DENIED/)
  }
  assert.deepEqual(treeSnapshot(root), before)
})

test('a plugin without the permission is refused, and nobody is bothered', async (t) => {
  const { exliar, root } = await machine(t, ['pci:read'])
  const before = treeSnapshot(root)
  for (const [args, permission] of [
    [['take', bdf], 'vfio:bind'],
    [['release', bdf], 'vfio:bind'],
    [['boot', 'pci=noaer'], 'boot:edit'],
  ] as const) {
    const refused = await exliar([...args, '--json'], { answers: ['y'] })
    assert.notEqual(refused.code, 0)
    assert.deepEqual(refused.asked, [])
    assert.match(refused.err, new RegExp(`CALL_NOT_PERMITTED.*${permission}|${permission}.*CALL_NOT_PERMITTED`))
  }
  assert.deepEqual(treeSnapshot(root), before)
})

test('what is not there is not taken, and what no bootloader can carry is not written', async (t) => {
  const { exliar, root } = await machine(t, all)
  const before = treeSnapshot(root)
  assert.match((await exliar(['take', '0000:99:00.0', '--json'], { answers: ['y'] })).err, /DEVICE_UNKNOWN/)
  for (const parameter of ['a b', '$(reboot)']) {
    const refused = await exliar(['boot', parameter, '--json'], { answers: ['y'] })
    assert.match(refused.err, /CALL_INPUT_INVALID/)
    assert.deepEqual(refused.asked, [])
  }
  assert.deepEqual(treeSnapshot(root), before)
})

test('a change that a plugin makes in a hook is kept with that hook, and its trace shows it', async (t) => {
  const { exliar } = await machine(t, all, { acts: 'bind' })
  const report = await exliar(['report'], { answers: ['y', 'y'] })
  assert.equal(report.code, 0, report.err)
  const { changes } = (await exliar(['status', '--json'])).json()
  assert.deepEqual(
    changes.map(({ plugin, hook }: Record<string, unknown>) => [plugin, hook]),
    // Once for each card; a copy of a machine has no kernel that would say that it is bound by now.
    [
      ['local/binder', 'exliar.gpu-detected'],
      ['local/binder', 'exliar.gpu-detected'],
    ],
  )
  const trace = await exliar(['trace', 'gpu-detected', '--last', '2'])
  assert.match(trace.out, /change \d, done: local\/binder: take 0000:17:00\.1 from snd_hda_intel and bind it to vfio-pci/)
  assert.equal((await exliar(['cleanup', '--yes'])).code, 0)
})

test('while an apply changes the machine no plugin does, nobody is asked, and it is told what to do instead', async (t) => {
  const { exliar, root } = await machine(t, all, { acts: 'boot', hook: 'post-vfio-bind' })
  const before = treeSnapshot(root)
  const applied = await exliar(['apply', '65:00', '--yes'], { answers: ['y', 'y', 'y', 'y'] })
  assert.equal(applied.code, 0, applied.err)
  assert.match(
    applied.err,
    /passed over: local\/binder in post-vfio-bind 0000:65:00\.0: .*may not change the machine while exliar applies.*Let local\/binder propose it for the plan/,
  )
  assert.deepEqual(applied.asked, [])
  assert.equal((await exliar(['cleanup', '--yes'])).code, 0)
  assert.deepEqual(treeSnapshot(root), before)
})
