import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { development, operator } from '../fixtures/operator.ts'

const nvidia = 'two-identical-nvidia-grub-initramfs-tools'

/** Every verb that is no name for others. */
const verbs: readonly (readonly string[])[] = [
  ['report'],
  ['plan'],
  ['apply'],
  ['status'],
  ['rollback'],
  ['cleanup'],
  ['hooks'],
  ['trace'],
  ['commands'],
  ['run'],
  ['panels'],
  ['panel'],
  ['vm'],
  ['vm', 'list'],
  ['vm', 'prepare'],
  ['vm', 'start'],
  ['vm', 'restore'],
  ['vm', 'hooks'],
  ['vm', 'hooks', 'install'],
  ['tui'],
  ['plugins'],
  ['plugins', 'list'],
  ['plugins', 'show'],
  ['plugins', 'add'],
  ['plugins', 'approve'],
  ['plugins', 'disable'],
  ['plugins', 'enable'],
]

test('every verb tells what it does, with examples that begin with it', async (t) => {
  const { exliar } = await operator(t, nvidia)
  const { out } = await exliar(['--help'])
  for (const [verb = ''] of verbs) assert.match(out, new RegExp(`^  ${verb}\\b`, 'm'))
  assert.match(out, /\nExamples:\n {2}exliar report --root/)
  assert.match(out, /Exit codes: 0 done, 1 no/)
  assert.doesNotMatch(out, /vm-hook|vm-watch/, 'what only libvirt calls is not shown to people')
  for (const verb of verbs) {
    const help = await exliar([...verb, '--help'])
    assert.equal(help.code, 0)
    assert.match(help.out, new RegExp(`\\nExamples:\\n {2}exliar ${verb.join(' ')}\\b`), verb.join(' '))
    assert.match(help.out, /--json/, 'what holds for every verb is said with every verb')
  }
})

test('with --json every verb answers with one JSON document on its output, and nothing else', async (t) => {
  const { exliar, configure } = await operator(t, nvidia)
  await configure('[plugins]\ndeny = ["nvidia-handler", "amd-reset", "intel-gvt"]\n')
  const answered: readonly (readonly [string, string])[] = [
    ['report', 'gpus'],
    ['plan 65:00', 'etag'],
    ['apply 65:00 --dry-run', 'applied'],
    ['apply 65:00 --yes', 'changes'],
    ['status', 'interrupted'],
    ['rollback --yes', 'complete'],
    ['cleanup --yes', 'complete'],
    ['hooks', 'hooks'],
    ['trace gpu-detected', 'runs'],
    ['commands', 'commands'],
    ['run perf', 'runs'],
    ['panels', 'panels'],
    ['panel performance', 'items'],
    ['plugins', 'plugins'],
    ['plugins list', 'plugins'],
    ['plugins show core', 'state'],
    ['plugins disable notifier', 'state'],
    ['plugins enable notifier', 'state'],
  ]
  for (const [line, member] of answered) {
    const { code, out, err, json } = await exliar([...line.split(' '), '--json'])
    assert.deepEqual([code, err], [0, ''], line)
    assert.ok(Object.hasOwn(json(), member), `${line}: ${out}`)
  }
})

test('a command line that makes no sense is a usage error with what is wrong, and nothing is started', async (t) => {
  const { exliar } = await operator(t, nvidia)
  const lines: readonly (readonly [readonly string[], RegExp])[] = [
    [['plan'], /missing required argument 'slots'/],
    [['plan', '65:00', '--bind', 'maybe'], /--bind takes now or at-start, not maybe/],
    [['plan', '65:00', '--leave-out', 'kernel'], /--leave-out takes initramfs or bootloader, not kernel/],
    [['report', '--nonesuch'], /unknown option '--nonesuch'/],
    [['status', 'too', 'much'], /too many arguments/],
  ]
  for (const [args, what] of lines) {
    const { code, out, error } = await exliar([...args, '--json'])
    assert.deepEqual([code, out, error().code], [2, '', 'EXLIAR_USAGE'])
    assert.match(error().message, what)
  }
  const nothing = await exliar([])
  assert.equal(nothing.code, 2)
  assert.match(nothing.err, /Usage: exliar/)
  const close = await exliar(['perff'])
  assert.equal(close.code, 2)
  assert.match(close.err, /^COMMAND_UNKNOWN: there is no verb and no plugin command perff; did you mean "perf"\?/m)
  assert.match((await exliar(['reprot'])).err, /no plugin command reprot; did you mean "report"\?/)
  for (const [args, meant] of [
    [['vm', 'strat', 'win11'], /^EXLIAR_USAGE: vm has no verb strat; did you mean "start"\?$/m],
    [['plugins', '--json', 'shwo'], /plugins has no verb shwo; did you mean \\"show\\"\?/],
    [['plugins', 'show', 'a', 'b'], /^EXLIAR_USAGE: too many arguments for 'show'/m],
    [['vm', 'hooks', 'install', 'now'], /^EXLIAR_USAGE: too many arguments for 'install'/m],
  ] as const) {
    const nested = await exliar(args)
    assert.equal(nested.code, 2)
    assert.match(nested.err, meant)
  }
})

test('what is asked for and is not there is said with its own code and exit code', async (t) => {
  const { exliar, home } = await operator(t, nvidia)
  const wrong: readonly (readonly [readonly string[], string, number])[] = [
    [['trace', 'pre-vfio-bynd'], 'HOOK_UNKNOWN', 66],
    [['plugins', 'show', 'nonesuch'], 'PLUGIN_NOT_THERE', 66],
    [['plugins', 'add', join(home, 'nonesuch')], 'PLUGIN_FOLDER_EMPTY', 66],
    [['plan', '99:00'], 'SELECTION_REFUSED', 65],
    [['report', '--config', join(home, 'nonesuch.toml')], 'SETTINGS_UNREADABLE', 66],
    [['report', '--root', join(home, 'nonesuch')], 'TREE_NOT_FOUND', 66],
    [['panel', 'nonesuch'], 'POINT_UNKNOWN_PROVIDER', 66],
    [['trace', 'gpu-detected', '--last', 'x'], 'EXLIAR_USAGE', 2],
    [['trace', 'gpu-detected', '--last', '0'], 'EXLIAR_USAGE', 2],
  ]
  for (const [args, expected, exit] of wrong) {
    const { code, error, out } = await exliar([...args, '--json'])
    assert.deepEqual([error().code, code, out], [expected, exit, ''], args.join(' '))
    assert.ok(error().hint, args.join(' '))
  }
})

test('a configuration that is wrong is told with file, line and the nearest name, and nothing runs', async (t) => {
  const { exliar, configure, home } = await operator(t, nvidia)
  const policy = join(home, 'policy.json')
  await writeFile(policy, '{"signers": 7}')
  const wrong: readonly (readonly [string, string, RegExp, number?])[] = [
    ['[plugins]\nalow = ["x"]\n', 'SETTINGS_INVALID', /config\.toml:2:1: the key plugins\.alow is not known.*allow/],
    ['[vm]\nafter = "never"\n', 'SETTINGS_INVALID', /config\.toml:2:\d+: vm\.after/],
    ['[plugins]\nhook_timeout_seconds = 0\n', 'SETTINGS_INVALID', /hook_timeout_seconds/],
    ['[plugins\n', 'TOML_INVALID', /config\.toml/, 65],
    [`[plugins]\ntrust_policy = "${policy}"\n`, 'SETTINGS_TRUST_POLICY', /policy\.json/],
  ]
  for (const [toml, expected, what, exit = 78] of wrong) {
    await configure(toml)
    const { code, error, out } = await exliar(['report', '--json'])
    assert.deepEqual([error().code, code, out], [expected, exit, ''])
    assert.match(error().message, what)
  }
})

test('a directory for state that cannot be made is said, and what should never happen is told as a defect of exliar', async (t) => {
  const { exliar, home } = await operator(t, nvidia)
  const file = join(home, 'file')
  await writeFile(file, '')
  const blocked = await exliar(['report', '--json', '--state-dir', join(file, 'state')])
  assert.deepEqual([blocked.code, blocked.error().code], [73, 'TREE_UNWRITABLE'])
  const broken = await exliar(['status', '--json'], {
    terminal: {
      out: () => {
        throw new RangeError('the screen is full')
      },
    },
  })
  assert.deepEqual([broken.code, broken.error().code], [70, 'EXLIAR_DEFECT'])
  assert.match(broken.error().message, /the screen is full/)
})

test('who breaks off a verb is told that, and not of a defect', async (t) => {
  const { exliar } = await operator(t, 'popos-kernelstub')
  const broken = await exliar(['report', '--json'], { signal: AbortSignal.abort(new Error('ended by SIGINT')) })
  assert.deepEqual([broken.code, broken.error().code], [130, 'EXLIAR_BROKEN_OFF'])
  assert.equal(broken.error().message, 'broken off: ended by SIGINT')
})

test('a panel shows what its plugin says, and a command its text, or its data with --json', async (t) => {
  const { exliar } = await operator(t, nvidia)
  assert.match((await exliar(['panel', 'performance'])).out, /\S/)
  assert.ok(Array.isArray((await exliar(['panel', 'performance', '--json'])).json().items))
  assert.equal((await exliar(['perf'])).out, (await exliar(['run', 'perf'])).out)
  assert.deepEqual((await exliar(['perf', '--json'])).json().runs, [])
  const panels = (await exliar(['panels', '--json'])).json().panels
  assert.deepEqual(
    panels.map(({ name, plugin }: { name: string; plugin: string }) => [name, plugin]),
    [['performance', 'exliar/perf-monitor']],
  )
  const names = (await exliar(['commands', '--json'])).json().commands.map(({ name }: { name: string }) => name)
  assert.deepEqual(names, ['notify-test', 'perf'])
})

test('the hooks are listed in the order of a machine’s life, each with who handles it', async (t) => {
  const { exliar } = await operator(t, nvidia)
  const { hooks } = (await exliar(['hooks', '--json'])).json()
  assert.deepEqual(
    hooks.map(({ hook }: { hook: string }) => hook),
    [
      'system-detected',
      'device-enumeration',
      'gpu-detected',
      'pre-vfio-bind',
      'post-vfio-bind',
      'pre-initramfs-update',
      'post-initramfs-update',
      'pre-bootloader-update',
      'post-bootloader-update',
      'pre-vm-start',
      'vm-started',
      'post-vm-shutdown',
      'cleanup',
      'ui-event',
      'plugin-event',
    ],
  )
  const before = hooks.find(({ hook }: { hook: string }) => hook === 'pre-vm-start').handlers
  assert.deepEqual(
    before.map(({ plugin }: { plugin: string }) => plugin),
    ['exliar/nvidia-handler', 'exliar/perf-monitor'],
    'in the order they run',
  )
  assert.deepEqual(hooks[2].handlers, [{ plugin: 'exliar/nvidia-handler', available: true }])
  const { out } = await exliar(['hooks'])
  assert.match(out, /^system-detected +all +Told what machine this is\ndevice-enumeration/)
})

test('a warning of a plugin is told with its reason, its other fields only with --verbose', async (t) => {
  const { exliar, configure, dropIn } = await operator(t, nvidia)
  await configure(`${development}deny = ["nvidia-handler", "amd-reset", "intel-gvt", "perf-monitor", "notifier"]\n`)
  await dropIn('worried', {
    'plugin.toml': 'name = "worried"\nversion = "1.0.0"\napi_version = "1.0"\n',
    'index.js': `export const createPlugin = () => ({
      on_system_detected: (context) => context.logger().warn('it was not sent', { error: new Error('no way there'), times: 7 }),
    })`,
  })
  const { err } = await exliar(['report'])
  assert.match(err, /^warn: local\/worried: it was not sent: no way there$/m)
  assert.match((await exliar(['report', '--verbose'])).err, /it was not sent \{.*no way there.*"times":7/)
})

test('what plugins and devices call themselves reaches the terminal without control characters', async (t) => {
  const { exliar, dropIn } = await operator(t, nvidia)
  const sequence = String.raw`\u001b]0;owned\u0007`
  await dropIn('loud', {
    'plugin.toml': `name = "loud"\nversion = "1.0.0"\ndescription = "${sequence}"\napi_version = "1.0"\n`,
    'index.js': '',
  })
  for (const args of [['plugins'], ['plugins', 'show', 'local/loud'], ['hooks'], ['report']]) {
    const { out, err } = await exliar(args)
    // oxlint-disable-next-line no-control-regex -- that is what must not be there
    assert.doesNotMatch(out + err, /[\u0000-\u0008\u000b-\u001f\u007f]/, args.join(' '))
  }
})

test('a machine whose files cannot be read is told, and the program ends as others do', async (t) => {
  const { exliar, root } = await operator(t, nvidia)
  await mkdir(join(root, 'var/lib/exliar-vfio'), { recursive: true })
  await writeFile(
    join(root, 'var/lib/exliar-vfio/journal.jsonl'),
    '{"type":"opened","version":1,"made":[],"at":"x"}\nnot JSON\n{}\n',
  )
  for (const verb of ['status', 'rollback', 'cleanup']) {
    const { code, error } = await exliar([verb, '--json'])
    assert.deepEqual([code, error().code], [74, 'JOURNAL_DAMAGED'])
    assert.match(error().hint, /cleanup\.sh/)
  }
})

test('what an earlier run of a machine left is told as JSON too, where JSON is wanted', async (t) => {
  if (!requireProgram(t, 'virsh', 'libvirt-clients')) return
  const { exliar, configure, root } = await operator(t, nvidia)
  await configure('[vm]\nconnect = "test:///default"\n')
  await mkdir(join(root, 'run/exliar-vfio'), { recursive: true })
  await writeFile(join(root, 'run/exliar-vfio/00000000-0000-4000-8000-000000000000.withdraw.json'), '{}')
  const { code, err, json } = await exliar(['vm', 'list', '--json'])
  assert.equal(code, 0)
  assert.ok(json().machines.length > 0)
  const told = err
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly message: string })
  assert.match(told[0]?.message ?? '', /a machine is not as it was before its last run/)
})

test('what is meant for a copy does not reach the machines that run here, and nothing is copied over a whole directory', async (t) => {
  const { exliar } = await operator(t, nvidia)
  const listed = await exliar(['vm', 'list'])
  assert.equal(listed.code, 2)
  assert.match(listed.err, /VM_CONNECTION_UNSAID.*is a copy, and machines run here/)
  const added = await exliar(['plugins', 'add', '/'])
  assert.equal(added.code, 2)
  assert.match(added.err, /PLUGIN_FOLDER_NAMELESS/)
})
