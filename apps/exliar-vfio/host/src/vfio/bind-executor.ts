import { PlatformError } from '@backplane/sdk'
import { z } from 'zod'
import type { Entry, Executor, Ground, Performed, Undone } from '../changes/executor.ts'
import { shellQuoted } from '../changes/shell-lines.ts'
import type { BindDeviceStep } from '../changes/step.ts'
import { exliarErrors } from '../errors.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
import { storageInUse } from './storage-in-use.ts'
import { functionPath, readFunction, type FunctionDriver } from './pci-function.ts'

const Before = z.object({
  driver: z.string().nullable(),
  override: z.string().nullable(),
  /** What the attribute held, to the byte: in a copied tree it is a file like others. Null: it was missing. */
  attribute: z.string().nullable(),
})

/** Whether a kernel stands behind the tree's `sys`. */
export interface Binding {
  /** Default: as the tree is this machine. `false`: only the override is written, and nothing moves. */
  readonly isLive?: boolean
  /** How long the kernel may take for what it is told, ms; default 30 000. */
  readonly deadlineMs?: number
}

/**
 * Gives functions to a driver and back, each time looking whether the kernel did it. A function that another driver would
 * not take has the one it had before again, and no override.
 */
export function bindExecutor({ isLive, deadlineMs }: Binding = {}): Executor<BindDeviceStep> {
  const live = (tree: MachineTree): boolean => isLive ?? tree.isThisMachine
  return {
    look: async ({ bdf, driver }, { tree }) => {
      if (live(tree) && !(await answers(tree, bdf, deadlineMs)))
        throw exliarErrors.error('BIND_REFUSED', { bdf, reason: unanswered })
      const found = readFunction(tree, bdf)
      if (found === undefined) throw exliarErrors.error('BIND_REFUSED', { bdf, reason: 'it is not there' })
      if (driver !== null) refuseStorage(tree, bdf)
      const attribute = tree.readBytes(`${functionPath(bdf)}/driver_override`)?.toString('latin1') ?? null
      return { ...found, attribute } satisfies z.output<typeof Before>
    },
    perform: (step, before, ground) =>
      live(ground.tree) ? bindLive(step, Before.parse(before), { ...ground, deadlineMs }) : bindCopied(step, ground),
    standing: async ({ step, before }, { tree }) => {
      if (step.kind !== 'bind-device') return 'before'
      if (live(tree) && !(await answers(tree, step.bdf, deadlineMs))) return 'other'
      return standingOf(step, Before.parse(before), tree)
    },
    undo: (entry, ground) => undo(entry, { ...ground, deadlineMs }, live(ground.tree)),
    script,
  }
}

const unanswered = 'the kernel has not done yet what it was told of it, and answers nothing before'

/** Also where a plugin asked for it, and a person allowed it. */
function refuseStorage(tree: MachineTree, bdf: string): void {
  const [storage] = storageInUse(tree, [{ bdf, sysfs_path: tree.realPath(functionPath(bdf)) ?? '' }])
  if (storage !== undefined) throw exliarErrors.error('BIND_REFUSED', storage)
}

/** Where the kernel is told something, and how long it may take. */
interface LiveGround extends Ground {
  readonly deadlineMs: number | undefined
}

async function bindLive(
  { bdf, driver }: BindDeviceStep,
  before: z.output<typeof Before>,
  ground: LiveGround,
): Promise<Performed> {
  const reason = await give(ground, { bdf, driver, override: driver })
  if (reason === undefined) return { after: null, notes: [] }
  const back = await giveBack(ground, bdf, before)
  const failed = exliarErrors.error('BIND_FAILED', { bdf, driver: driver ?? 'its own driver', reason })
  if (back === undefined) throw failed
  throw new PlatformError(failed.code, `${failed.message}; and ${back}`, {
    hint: 'Start the machine again: it has no driver now.',
  })
}

/** A copied tree has no kernel. */
async function bindCopied({ bdf, driver }: BindDeviceStep, { tree, atPoint }: Ground): Promise<Performed> {
  await tree.write(`${functionPath(bdf)}/driver_override`, `${driver ?? '(null)'}\n`)
  atPoint('an override was written')
  const notes = [`No kernel stands behind this tree: of ${bdf} only the override was written.`]
  return { after: null, notes: readFunction(tree, bdf)?.driver === driver ? [] : notes }
}

interface Given {
  readonly bdf: string
  /** Null: the one it would have by itself. */
  readonly driver: string | null
  /** What stands there afterwards. */
  readonly override: string | null
  /** Nothing drove it before, and nothing shall. */
  readonly isNobodys?: boolean
}

/** Undefined when it is so; else why it is not. The override comes first, so that nothing else takes it in between. */
async function give(ground: LiveGround, { bdf, driver, override, isNobodys }: Given): Promise<string | undefined> {
  const { tree, atPoint } = ground
  const path = functionPath(bdf)
  const tell = (attribute: string, value: string, what: string): Promise<void> => told(ground, { bdf, attribute, value, what })
  try {
    await tell(`${path}/driver_override`, `${driver ?? override ?? ''}\n`, 'the kernel has not taken its driver’s name')
    atPoint('an override was written')
    const now = readFunction(tree, bdf)?.driver ?? null
    const mustMove = driver === null ? now === 'vfio-pci' : now !== driver
    if (now !== null && mustMove) await tell(`${path}/driver/unbind`, bdf, `${now} has not let go of it`)
    atPoint('a function was unbound')
    if (mustMove && isNobodys !== true) await tell('/sys/bus/pci/drivers_probe', bdf, `${driver ?? 'no driver'} has not taken it`)
    atPoint('a function was bound')
    const bound = readFunction(tree, bdf)?.driver ?? null
    if (driver !== null && bound !== null && bound !== driver) return `the kernel gave it to ${bound}`
    if (driver !== null && bound === null && !(await bindByName(ground, bdf, driver))) return `${driver} did not take it`
    if (override !== driver)
      await tell(`${path}/driver_override`, `${override ?? ''}\n`, 'the kernel has not taken its driver’s name')
    return undefined
  } catch (error) {
    if (error instanceof PlatformError && error.code !== 'BIND_BLOCKED') return error.message
    throw error
  }
}

interface Telling {
  readonly bdf: string
  readonly attribute: string
  readonly value: string
  /** What has not happened when the time is over. */
  readonly what: string
}

/** Errors: `BIND_BLOCKED`; nothing is asked of the function any more then, for that would wait too. */
async function told({ tree, deadlineMs }: LiveGround, { bdf, attribute, value, what }: Telling): Promise<void> {
  try {
    await tree.writeAttribute(attribute, value, deadlineMs)
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== 'ATTRIBUTE_BLOCKED') throw error
    tree.holdOff(functionPath(bdf))
    const { seconds = 0, pid = 0 } = (error.details ?? {}) as { readonly seconds?: number; readonly pid?: number }
    throw exliarErrors.error('BIND_BLOCKED', { bdf, what, seconds, pid }, { cause: error })
  }
}

/** As it was, nobody's where it was nobody's. */
function giveBack(ground: LiveGround, bdf: string, { driver, override }: FunctionDriver): Promise<string | undefined> {
  return give(ground, { bdf, driver, override, isNobodys: driver === null })
}

/** A driver that does not know the ids is told the address. */
async function bindByName(ground: LiveGround, bdf: string, driver: string): Promise<boolean> {
  const { tree } = ground
  const attribute = `/sys/bus/pci/drivers/${driver}/bind`
  if (!tree.has(attribute)) return false
  await told(ground, { bdf, attribute, value: bdf, what: `${driver} has not taken it` })
  return readFunction(tree, bdf)?.driver === driver
}

/** Looking at a function that the kernel binds or unbinds waits until that is done; who would wait too long does not look. */
async function answers(tree: MachineTree, bdf: string, deadlineMs: number | undefined): Promise<boolean> {
  const path = functionPath(bdf)
  const isThere = tree.has(`${path}/driver_override`)
  if (!tree.isHeldOff(path) && isThere && !(await tree.attributeAnswers(`${path}/driver_override`, deadlineMs)))
    tree.holdOff(path)
  return !tree.isHeldOff(path)
}

function standingOf(step: BindDeviceStep, before: FunctionDriver, tree: MachineTree): 'before' | 'after' | 'other' {
  const now = readFunction(tree, step.bdf)
  if (now === undefined || (now.driver === before.driver && now.override === before.override)) return 'before'
  return now.override === step.driver ? 'after' : 'other'
}

async function undo({ step, before: given }: Entry, ground: LiveGround, isLive: boolean): Promise<Undone> {
  if (step.kind !== 'bind-device') return { kind: 'kept', reason: 'it is no binding' }
  const { tree } = ground
  const { bdf } = step
  const before = Before.parse(given)
  const attribute = `${functionPath(bdf)}/driver_override`
  if (tree.isHeldOff(functionPath(bdf))) {
    return { kind: 'kept', reason: `${bdf}: ${unanswered}` }
  }
  if (!isLive) {
    await tree.removeUnfinished(attribute)
    if (before.attribute === null) await tree.remove(attribute)
    else await tree.write(attribute, Buffer.from(before.attribute, 'latin1'))
    ground.atPoint('an override was put back')
    return { kind: 'undone', notes: [] }
  }
  const now = readFunction(tree, bdf)
  if (now === undefined) return { kind: 'undone', notes: [`${bdf} is not there any more.`] }
  // An undo that was killed may have left the old driver's name there.
  const isForeign = ![null, before.override, before.driver, step.driver].includes(now.override)
  if (isForeign) return { kind: 'kept', reason: `${bdf} was given to ${now.override} by somebody else` }
  const reason = await giveBack(ground, bdf, before)
  return reason === undefined ? { kind: 'undone', notes: [] } : { kind: 'kept', reason: `${bdf}: ${reason}` }
}

/** In a rescue system the function is whatever that system made of it; in a copied tree the attribute is a file. */
function script({ step, before }: Entry): readonly string[] {
  if (step.kind !== 'bind-device') return []
  const { driver, override, attribute } = Before.parse(before)
  const path = functionPath(step.bdf)
  const bytes = attribute === null ? '' : `printf '%s' ${shellQuoted(attribute)} > "$root${path}/driver_override"`
  const own = [...new Set(['', '(null)', override ?? '', driver ?? '', step.driver ?? ''])].map(shellQuoted).join(' | ')
  return [
    `if [ -z "$root" ] && [ -e ${path}/driver_override ]; then`,
    `  now=$(cat ${path}/driver_override)`,
    '  case $now in',
    `    ${own})`,
    `      echo ${override === null ? '' : shellQuoted(override)} > ${path}/driver_override`,
    `      if [ "$(basename "$(readlink ${path}/driver)")" != ${shellQuoted(driver ?? 'none')} ]; then`,
    `        if [ -e ${path}/driver ]; then echo ${step.bdf} > ${path}/driver/unbind; fi`,
    `        echo ${step.bdf} > /sys/bus/pci/drivers_probe`,
    '      fi ;;',
    `    *) say_kept "${step.bdf}, which somebody else gave to $now" ;;`,
    '  esac',
    `elif [ -f "$root${path}/driver_override" ]; then`,
    `  ${bytes === '' ? `rm -f "$root${path}/driver_override"` : bytes}`,
    'fi',
  ]
}
