import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RecordedChange } from '@exliar-vfio/points'
import { describeMachine } from '../../devices/describe-machine.ts'
import { sampleTree } from '../../fixtures/sample-tree.ts'
import { MachineTree } from '../../machine/machine-tree.ts'
import { after, detection, freeSlot, plan, pressed, seen } from './fixtures/known-machine.ts'
import { screens, type PanelTab, type TuiState } from './tui-state.ts'
import { update } from './update.ts'
import { listedDevices } from './views/devices-body.ts'

const made: Partial<TuiState> = { screen: 'plan', selected: [freeSlot], plan: { kind: 'made', plan, detection } }
const applying = { kind: 'applying', steps: 2, done: [], running: 'write a file', broken: false } as const
const standing: RecordedChange = {
  id: 1,
  at: '2026-11-21T10:00:00Z',
  kind: 'file-modified',
  summary: 'write a file',
  plugin: null,
  hook: null,
  state: 'done',
  notes: [],
}
const changed: Partial<TuiState> = {
  screen: 'changes',
  changes: { kind: 'there', value: { changes: [standing], interrupted: false } },
}
const tabs: readonly PanelTab[] = [
  { plugin: 'example/one', name: 'first', title: 'First' },
  { plugin: 'example/two', name: 'second', title: 'Second' },
]
const watching: Partial<TuiState> = { screen: 'panels', panels: { kind: 'there', value: tabs } }

test('numbers and Tab go to the screens, and read anew what they show', () => {
  for (const [index, screen] of screens.entries()) assert.equal(pressed(seen(), String(index + 1))[0].screen, screen)
  assert.equal(pressed(seen(), 'tab')[0].screen, 'devices')
  assert.equal(pressed(seen(), 'shift-tab')[0].screen, 'approvals')
  assert.deepEqual(pressed(seen(), '4', '5', '6')[1], [
    { kind: 'read-changes' },
    { kind: 'read-plugins' },
    { kind: 'read-panels' },
  ])
})

test('? shows the keys and takes them away again, on every screen', () => {
  for (const screen of screens) {
    const [shown] = pressed(seen({ screen }), '?')
    assert.equal(shown.help, true)
    assert.equal(pressed(shown, '?')[0].help, false)
    assert.equal(pressed(shown, 'escape')[0].help, false)
  }
  assert.deepEqual(pressed(seen({ screen: 'devices', help: true }), 's')[0].selected, [])
})

test('q, Ctrl-Q and Ctrl-C quit, and Escape does on the first screen only', () => {
  for (const key of ['q', 'ctrl-q', 'ctrl-c', 'escape']) assert.deepEqual(pressed(seen(), key)[1], [{ kind: 'quit' }])
  const [back, tasks] = pressed(seen({ screen: 'devices' }), 'escape')
  assert.deepEqual([back.screen, tasks], ['system', []])
})

test('while the machine is changed nothing quits; Ctrl-C breaks it off, once', () => {
  for (const key of ['q', 'ctrl-q', 'escape']) {
    const [state, tasks] = pressed(seen({ work: applying }), key)
    assert.deepEqual(tasks, [])
    assert.match(state.message?.text ?? '', /being changed/)
  }
  const [broken, tasks] = pressed(seen({ work: applying }), 'ctrl-c')
  assert.deepEqual([broken.work, tasks], [{ ...applying, broken: true }, [{ kind: 'break' }]])
  assert.deepEqual(pressed(broken, 'ctrl-c')[1], [])
  assert.deepEqual(pressed(seen({ work: { kind: 'taking-back', reason: 'cleanup' } }), 'ctrl-c')[1], [])
})

test('r looks at everything again, but not while it is changed', () => {
  const [state, tasks] = pressed(seen(made), 'r')
  assert.deepEqual(
    tasks.map(({ kind }) => kind),
    ['look-for-plugins', 'detect', 'read-changes'],
  )
  assert.deepEqual([state.detection.kind, state.plan.kind, state.selected], ['waiting', 'none', [freeSlot]])
  assert.deepEqual(pressed(seen({ work: applying }), 'r')[1], [])
})

test('the first device chosen is a GPU; up, down, page and end keys move and stop at the ends; n goes to the next GPU', () => {
  const state = seen({ screen: 'devices' })
  const listed = listedDevices(detection)
  const at = ({ device }: TuiState): string | undefined => listed[device]?.bdf
  assert.equal(at(state), detection.gpus[0]?.bdf)
  assert.equal(pressed(state, 'down', 'up')[0].device, state.device)
  assert.equal(pressed(state, 'j', 'j', 'k')[0].device, state.device + 1)
  assert.equal(pressed(state, 'home')[0].device, 0)
  assert.equal(pressed(state, 'home', 'up')[0].device, 0)
  assert.equal(pressed(state, 'end', 'down')[0].device, listed.length - 1)
  assert.equal(pressed(state, 'home', 'page-down', 'page-up')[0].device, 0)
  assert.equal(at(pressed(state, 'n')[0]), detection.gpus[1]?.bdf)
  assert.equal(at(pressed(state, 'n', 'n')[0]), detection.gpus[0]?.bdf)
})

test('g and Enter open the details of a device, g and Escape close them', () => {
  for (const key of ['g', 'enter']) {
    const [open] = pressed(seen({ screen: 'devices' }), key)
    assert.equal(open.details, detection.gpus[0]?.bdf)
    assert.equal(pressed(open, 'g')[0].details, null)
    const [closed] = pressed(open, 'escape')
    assert.deepEqual([closed.details, closed.screen], [null, 'devices'])
  }
})

test('s selects the slot of a device and takes it back; another selection needs another plan', () => {
  const [state] = pressed(seen({ ...made, screen: 'devices', selected: [] }), 'n', 's')
  assert.deepEqual([state.selected, state.plan.kind], [[freeSlot], 'none'])
  assert.deepEqual(pressed(state, 's')[0].selected, [])
})

test('of a virtual function only itself is selected, not the card it was made from', () => {
  const { devices, ...rest } = describeMachine(MachineTree.open(sampleTree('fedora-grub-dracut-sriov')))
  const sriov = { ...rest, devices, proposals: [], advice: [], troubles: [] }
  const virtual = listedDevices(sriov).findIndex((device) => device.physical_function !== null)
  assert.notEqual(virtual, -1)
  const state = seen({ screen: 'devices', detection: { kind: 'there', value: sriov }, device: virtual })
  assert.deepEqual(pressed(state, 's')[0].selected, [listedDevices(sriov)[virtual]?.bdf])
})

test('c makes the plan for what is selected, and nothing where nothing is', () => {
  const [state, tasks] = pressed(seen({ screen: 'devices', selected: [freeSlot] }), 'c')
  assert.deepEqual([state.screen, state.plan.kind], ['plan', 'making'])
  const wish = { selected: [freeSlot], takeAlong: [], choices: { bind: 'now', allowBootScreen: false, leaveOut: [] } } as const
  assert.deepEqual(tasks, [{ kind: 'make-plan', wish }])
  assert.deepEqual(pressed(seen({ screen: 'devices' }), 'c')[1], [])
  assert.deepEqual(pressed(seen({ ...made, work: applying }), 'c')[1], [])
})

test('w, b, i and l change how the plan is made, and make it again', () => {
  const wishes = pressed(seen(made), 'w', 'b', 'w', 'i', 'l', 'i')[1].map((task) => {
    if (task.kind !== 'make-plan') return undefined
    const { bind, allowBootScreen, leaveOut } = task.wish.choices
    return [bind, allowBootScreen, ...leaveOut].join(' ')
  })
  assert.deepEqual(wishes, [
    'at-start false',
    'at-start true',
    'now true',
    'now true initramfs',
    'now true initramfs bootloader',
    'now true bootloader',
  ])
})

test('t lets a card go along, or not any more; what is selected is not taken along too', () => {
  const [along] = pressed(seen({ ...made, screen: 'devices', selected: [] }), 'n', 't')
  assert.deepEqual([along.takeAlong, along.selected, along.plan.kind], [[freeSlot], [], 'none'])
  const [instead] = pressed(along, 's')
  assert.deepEqual([instead.takeAlong, instead.selected], [[], [freeSlot]])
  assert.deepEqual(pressed(along, 't')[0].takeAlong, [])
  const [planned, tasks] = pressed({ ...along, selected: ['0000:17:00'] }, 'c')
  assert.deepEqual(
    tasks.map((task) => task.kind === 'make-plan' && task.wish.takeAlong),
    [[freeSlot]],
  )
  assert.equal(planned.screen, 'plan')
})

test('a plan that was made for an earlier wish is not shown, whichever comes first', () => {
  const [state, tasks] = pressed(seen(made), 'w', 'w')
  const [early, wanted] = tasks.flatMap((task) => (task.kind === 'make-plan' ? [task.wish] : []))
  assert.ok(early !== undefined && wanted !== undefined)
  const there = { kind: 'made', plan, detection } as const
  const late = after(state, { kind: 'planned', wish: early, plan: there })
  assert.equal(late.plan.kind, 'making')
  assert.equal(after(late, { kind: 'planned', wish: wanted, plan: there }).plan.kind, 'made')
  assert.equal(after({ ...state, plan: { kind: 'none' } }, { kind: 'planned', wish: wanted, plan: there }).plan.kind, 'none')
})

test('a asks before it applies, and only y by itself is a yes', () => {
  const [asked, none] = pressed(seen(made), 'a')
  assert.deepEqual([asked.prompt?.kind, none], ['apply', []])
  assert.deepEqual(pressed(asked, 'y')[1], [{ kind: 'apply', plan, detection }])
  assert.equal(pressed(asked, 'y')[0].work.kind, 'applying')
  for (const key of ['n', 'enter', 'escape', 'a', ' ', 'q']) {
    const [state, tasks] = pressed(asked, key)
    assert.deepEqual([state.prompt, state.work.kind, tasks], [null, 'idle', []], key)
  }
  const [pasted, tasks] = update(asked, { kind: 'key', key: 'y', alone: false })
  assert.deepEqual([pasted.work.kind, tasks], ['idle', []])
  assert.deepEqual(update(asked, { kind: 'pasted', text: 'y' }), [asked, []])
})

test('there is nothing to apply without a plan, and while one is applied', () => {
  for (const given of [
    { ...made, plan: { kind: 'none' } },
    { ...made, work: applying },
  ] as const) {
    assert.equal(pressed(seen(given), 'a')[0].prompt, null)
  }
})

test('steps are counted while they are done, and the end is shown and looked at', () => {
  const [begun] = pressed(seen(made), 'a', 'y')
  const half = after(begun, { kind: 'step', when: 'before', summary: 'one' }, { kind: 'step', when: 'after', summary: 'one' })
  assert.deepEqual(half.work.kind === 'applying' && [half.work.done, half.work.running], [['one'], null])
  const applied = { kind: 'applied', run: 1, changes: [1], notes: [] } as const
  const [end, tasks] = update(half, { kind: 'ended', result: { kind: 'applied', applied, reboot: true } })
  assert.deepEqual([end.work.kind, end.result?.kind, end.plan.kind], ['idle', 'applied', 'none'])
  assert.equal(end.message?.text, 'Applied: 1 change.')
  assert.deepEqual(tasks, [{ kind: 'detect' }, { kind: 'read-changes' }])
})

test('u takes back the last apply and x everything, after a question, and only where something stands', () => {
  for (const [key, reason] of [
    ['u', 'rollback'],
    ['x', 'cleanup'],
  ] as const) {
    const [asked] = pressed(seen(changed), key)
    assert.deepEqual(asked.prompt, { kind: 'take-back', reason, changes: 1 })
    assert.deepEqual(pressed(asked, 'y')[1], [{ kind: 'take-back', reason }])
    assert.deepEqual(pressed(asked, 'n')[1], [])
    const none = { changes: [{ ...standing, state: 'undone' as const }], interrupted: false }
    assert.equal(pressed(seen({ ...changed, changes: { kind: 'there', value: none } }), key)[0].prompt, null)
    const cut = { changes: [], interrupted: true }
    assert.equal(pressed(seen({ ...changed, changes: { kind: 'there', value: cut } }), key)[0].prompt?.kind, 'take-back')
    assert.equal(pressed(seen({ ...changed, work: applying }), key)[0].prompt, null)
  }
})

test('told to end, the interface quits at once, or when what runs was taken back', () => {
  assert.deepEqual(update(seen(), { kind: 'killed' })[1], [{ kind: 'quit' }])
  const [state, tasks] = update(seen({ work: applying }), { kind: 'killed' })
  assert.deepEqual(tasks, [{ kind: 'break' }])
  assert.deepEqual(update(state, { kind: 'ended', result: { kind: 'refused', message: '' } })[1], [{ kind: 'quit' }])
})

test('the panel that is shown is drawn, and no other: left and right, other screens and the help change that', () => {
  const show = (state: TuiState, ...keys: readonly string[]): unknown =>
    pressed(state, ...keys)[1].flatMap((task) => (task.kind === 'show-panel' ? [task.panel?.name ?? null] : []))
  assert.deepEqual(show(seen(watching), 'right'), ['second'])
  assert.deepEqual(show(seen(watching), 'left', 'right'), ['second', 'first'])
  assert.deepEqual(show(seen(watching), '1', '6'), [null, 'first'])
  assert.deepEqual(show(seen(watching), '?', '?'), [null, 'first'])
  assert.deepEqual(show(seen(watching), 'q'), [null])
  const { panels, ...before } = watching
  const [, tasks] = update(seen(before), { kind: 'panels-read', panels: panels ?? { kind: 'waiting' } })
  assert.deepEqual(tasks, [{ kind: 'show-panel', panel: tabs[0] }])
})

test('the panel that was chosen stays chosen when another comes or goes, and the first takes its place when it goes', () => {
  const [first, second] = tabs
  assert.ok(first !== undefined && second !== undefined)
  const [state] = pressed(seen(watching), 'right')
  const read = (value: readonly PanelTab[]): number =>
    after(state, { kind: 'panels-read', panels: { kind: 'there', value } }).panel
  assert.deepEqual([read([second, first]), read([second]), read([first]), read([])], [0, 0, 0, 0])
  assert.equal(read([first, { ...first, name: 'between' }, second]), 2)
})

test('what a panel that is not shown any more sends is dropped', () => {
  const content: TuiState['content'] = { kind: 'there', value: { items: [{ kind: 'heading', text: 'late' }] } }
  const [first, second] = tabs
  assert.ok(first !== undefined && second !== undefined)
  assert.equal(after(seen(watching), { kind: 'drawn', panel: second, content }).content.kind, 'waiting')
  assert.equal(after(seen(watching), { kind: 'drawn', panel: first, content }).content.kind, 'there')
})

test('n goes through the actions of a panel, Enter does the chosen one', () => {
  const items = ['one', 'two'].map((id) => ({ kind: 'action' as const, id, label: id }))
  const state = seen({ ...watching, content: { kind: 'there', value: { items } } })
  const done = pressed(state, 'enter', 'n', 'enter', 'n', 'enter')[1]
  assert.deepEqual(
    done.map((task) => task.kind === 'do-action' && task.action),
    ['one', 'two', 'one'],
  )
  assert.deepEqual(pressed(seen({ ...watching, content: { kind: 'there', value: { items: [] } } }), 'enter', 'n')[1], [])
})

test('what scrolls stops at its ends, and shows its end when the terminal shrinks', () => {
  const state = seen({ ...made, rows: 12 })
  const [bottom] = pressed(state, 'end')
  assert.ok(bottom.scroll > 0)
  assert.equal(pressed(bottom, 'down')[0].scroll, bottom.scroll)
  assert.equal(pressed(bottom, 'home', 'up')[0].scroll, 0)
  assert.equal(pressed(state, 'page-down', 'page-up')[0].scroll, 0)
  assert.equal(after(bottom, { kind: 'resized', columns: 40, rows: 12 }).columns, 40)
})
