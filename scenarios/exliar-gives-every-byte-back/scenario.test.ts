import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { compiledCode, requireProgram } from '@backplane/testing'
import { operator, type Operator } from '../../apps/exliar-vfio/host/src/fixtures/operator.ts'
import { sampleTrees } from '../../apps/exliar-vfio/host/src/fixtures/sample-tree.ts'
import { treeSnapshot } from '../../apps/exliar-vfio/host/src/fixtures/tree-snapshot.ts'
import { combinations, combine } from './combined-machine.ts'

/** Plugins have nothing to do with this: without them it is quick. */
const withoutPlugins =
  '[plugins]\ndeny = ["nvidia-handler", "amd-reset", "intel-gvt", "perf-monitor", "notifier"]\nenabled = false\n'

/** What is passed through of each sample, by whoever knows what it takes. */
const cards: Readonly<Record<(typeof sampleTrees)[number], readonly string[]>> = {
  'two-identical-nvidia-grub-initramfs-tools': ['65:00'],
  'amd-systemd-boot-mkinitcpio': ['03:00'],
  'fedora-grub-dracut-sriov': ['10000:b3:00'],
  'popos-kernelstub': ['01:00'],
  'limine-booster': ['0a:00'],
}

/** Kills for each sample and verb. `KILLS=20` kills more often. */
const kills = Number(process.env['KILLS'] ?? 1)

async function machine(t: TestContext, name: (typeof sampleTrees)[number]): Promise<Operator> {
  const made = await operator(t, name)
  await made.configure(withoutPlugins)
  return made
}

const stateFiles = /^var(?:$|\/lib(?:$|\/exliar-vfio))/

/** Paths that are not as they were; the journal's own left out. */
function changed(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): readonly string[] {
  const paths = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...paths].filter((path) => !stateFiles.test(path) && before[path] !== after[path]).toSorted()
}

for (const [index, combination] of combinations.entries()) {
  test(`${combination.bootloader} with ${combination.initramfs}: planning changes no byte, cleanup gives every one back, and what a person changed meanwhile is kept and named`, async (t) => {
    const { root, exliar } = await machine(t, 'two-identical-nvidia-grub-initramfs-tools')
    combine(root, combination)
    const before = treeSnapshot(root)
    const { system } = (await exliar(['report', '--json'])).json()
    assert.deepEqual(
      [system.bootloader, system.initramfs_system],
      [combination.bootloader.replace('-with-entries', ''), combination.initramfs],
    )
    const plan = (await exliar(['plan', '65:00', '--json'])).json()
    assert.equal((await exliar(['apply', '65:00', '--dry-run'])).code, 0)
    assert.deepEqual(treeSnapshot(root), before)
    const applied = await exliar(['apply', '65:00', '--yes'])
    assert.equal(applied.code, 0, applied.err)
    const after = treeSnapshot(root)
    const files = new Set(changed(before, after).filter((path) => after[path]?.startsWith('file')))
    const planned: readonly string[] = plan.diffs.map(({ path }: { path: string }) => path.slice(1))
    for (const path of planned) assert.ok(files.has(path), path)
    // Somebody edits one of them, another one each time.
    const mine = planned[index % planned.length] ?? assert.fail()
    const theirs = readFileSync(join(root, mine))
    appendFileSync(join(root, mine), '# by hand\n')
    const kept = await exliar(['cleanup', '--yes', '--json'])
    assert.equal(kept.code, 1)
    const ends = kept.json().changes.filter(({ kind }: { kind: string }) => kind === 'kept')
    assert.ok(
      ends.some((end: object) => JSON.stringify(end).includes(mine)),
      JSON.stringify(ends),
    )
    assert.deepEqual(readFileSync(join(root, mine)), Buffer.concat([theirs, Buffer.from('# by hand\n')]))
    const left = changed(before, treeSnapshot(root)).filter((path) => !mine.startsWith(`${path}/`))
    assert.deepEqual(left, [mine])
    // And takes it back.
    writeFileSync(join(root, mine), theirs)
    const ended = await exliar(['cleanup', '--yes'])
    assert.equal(ended.code, 0, ended.out)
    assert.deepEqual(treeSnapshot(root), before)
  })
}

for (const name of sampleTrees) {
  test(`${name}: what was applied is taken back by the script alone`, async (t) => {
    if (!requireProgram(t, 'sha256sum', 'coreutils')) return
    const { root, exliar } = await machine(t, name)
    const before = treeSnapshot(root)
    const applied = await exliar(['apply', ...cards[name], '--yes', '--allow-boot-screen'])
    assert.equal(applied.code, 0, applied.err)
    assert.notDeepEqual(changed(before, treeSnapshot(root)), [])
    const said = execFileSync('sh', [join(root, 'var/lib/exliar-vfio/cleanup.sh'), root], { encoding: 'utf8' })
    assert.match(said, /everything is as it was before exliar/)
    assert.deepEqual(treeSnapshot(root), before)
  })
}

const repository = fileURLToPath(new URL('../..', import.meta.url))
const program = fileURLToPath(new URL('../../apps/exliar-vfio/host/src/exliar.ts', import.meta.url))

/** The real process, which strace kills at the N-th time it makes something durable; answers whether it lived. */
async function killedAt(moment: number, { home, root }: Operator, args: readonly string[]): Promise<boolean> {
  const inject = `--inject=fsync,fdatasync:signal=SIGKILL:when=${moment}`
  const node = [process.execPath, '--conditions=@backplane/source', program, ...args, '--root', root]
  const child = spawn('strace', ['-f', '-o', '/dev/null', '--trace=fsync,fdatasync', inject, ...node], {
    env: { ...compiledCode, HOME: home, PATH: process.env['PATH'] },
    stdio: 'ignore',
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  assert.ok(signal === 'SIGKILL' || code === 137 || code === 0, `${code} ${signal}`)
  return code === 0
}

for (const [index, name] of sampleTrees.entries()) {
  // Each sample is killed in one of them, or with KILLS in both.
  const verbs = kills > 1 ? ['apply', 'cleanup'] : [index % 2 === 0 ? 'apply' : 'cleanup']
  test(`${name}: killed with -9 while it does ${verbs.join(' or ')}, the next command sees it and the undo is finished`, async (t) => {
    if (!requireProgram(t, 'strace', 'strace')) return
    const made = await machine(t, name)
    const { root, exliar } = made
    // As on every real machine; the samples leave out what is empty.
    await mkdir(join(root, 'var/lib'), { recursive: true })
    const before = treeSnapshot(root)
    const apply = ['apply', ...cards[name], '--yes', '--allow-boot-screen']
    for (let kill = 0; kill < kills; kill++) {
      // Before that nothing of the machine's is touched; the shortest apply has some thirty.
      const moment = 17 + ((index * 3 + kill) % 11)
      for (const verb of verbs) {
        if (verb === 'cleanup') assert.equal((await exliar(apply)).code, 0)
        const lived = await killedAt(moment, made, verb === 'apply' ? apply : ['cleanup', '--yes'])
        const { interrupted, changes } = (await exliar(['status', '--json'])).json()
        const where = `${name}, ${verb}, moment ${moment}, ${changes.length} changes`
        if (verb === 'apply') assert.equal(lived, false, where)
        if (interrupted) assert.equal((await exliar([...apply, '--json'])).error().code, 'CHANGES_UNFINISHED', where)
        const back = await exliar([verb === 'apply' ? 'rollback' : 'cleanup', '--yes'])
        assert.equal(back.code, 0, `${where}: ${back.out}${back.err}`)
        assert.deepEqual(treeSnapshot(root), before, where)
      }
    }
  })
}

test('plan, apply and cleanup with all plugins write to the machine’s tree and the directory for state, and nowhere else', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const { root, home } = await operator(t, 'two-identical-nvidia-grub-initramfs-tools')
  const before = treeSnapshot(root)
  /** Everything else is read-only, or gone afterwards. */
  const readOnly = ['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp']
  // The repository may itself be in the directory for what is temporary.
  const alone = [...readOnly, '--ro-bind', repository, repository, '--bind', home, home]
  const run = (args: readonly string[], rootBind: '--bind' | '--ro-bind'): string => {
    const node = [
      process.execPath,
      '--conditions=@backplane/source',
      program,
      ...args,
      '--root',
      root,
      '--state-dir',
      join(home, 'state'),
    ]
    return execFileSync('bwrap', [...alone, rootBind, root, root, '--', ...node], {
      env: { HOME: home, PATH: process.env['PATH'] },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  }
  assert.match(run(['apply', '65:00', '--dry-run'], '--ro-bind'), /intel_iommu=on/)
  assert.deepEqual(treeSnapshot(root), before)
  assert.match(run(['apply', '65:00', '--yes'], '--bind'), /Done: \d+ changes/)
  assert.match(run(['cleanup', '--yes'], '--bind'), /Everything is as it was before/)
  assert.deepEqual(treeSnapshot(root), before)
  assert.deepEqual(
    Object.keys(treeSnapshot(home)).filter((path) => !/^state(?:$|\/)/.test(path)),
    [],
  )
})
