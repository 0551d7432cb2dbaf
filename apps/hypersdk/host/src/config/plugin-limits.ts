import { durationMs, sizeBytes, type LimitAction, type LimitName, type Limits, type NamespaceSettings } from '@backplane/kernel'
import { z } from 'zod'

/** A text such as `"30s"` or `"64MiB"` as a number. */
export function quantity(
  read: (text: string) => number | undefined,
  rule: string,
  least = 0,
): z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> {
  return z.string({ error: rule }).transform((text, context) => {
    const value = read(text)
    if (value === undefined || value < least) context.addIssue({ code: 'custom', message: rule })
    return value ?? 0
  })
}

const mebibyte = 1024 ** 2
const count = (least: number, why = ''): z.ZodInt => {
  const error = `must be a whole number of at least ${least}${why}`
  return z.int({ error }).min(least, { error })
}
const size = (what: string, least: number): ReturnType<typeof quantity> =>
  quantity(sizeBytes, `must be a size with a unit, such as "256MiB", of at least ${what}`, least)
const time = quantity(durationMs, 'must be a duration with a unit, such as "30s", of at least 1ms', 1)

/** What one plugin and a group of them can be held to alike. Node does not start with less than these. */
const shared = {
  memory: size('32MiB', 32 * mebibyte).optional(),
  /** Of one processor; 100 is one whole. */
  cpu_percent: count(1).optional(),
  processes: count(16, ', which is what Node needs for itself').optional(),
  open_files: count(24, ', which is what Node needs for itself').optional(),
  /** Calls at once. */
  concurrency: count(1).optional(),
  /** Longest call that has no limit of its own. */
  timeout: time.optional(),
}

/** Limits of a plugin as an operator writes them; yields those of the kernel, without what was left out. */
export const PluginLimits = z
  .strictObject({
    ...shared,
    /** What its data directory may hold. */
    data: size('1MiB', mebibyte).optional(),
    /** What its `/tmp` may hold. */
    tmp: size('1MiB', mebibyte).optional(),
    /** Longest its event loop may stand still. */
    stall: time.optional(),
    /** What it may write of log lines and output, each second. */
    output: size('1KiB', 1_024).optional(),
  })
  .transform((written): Partial<Limits> => {
    const {
      memory,
      cpu_percent: cpuPercent,
      open_files: openFiles,
      timeout: timeoutMs,
      stall: stallMs,
      output: outputBytesPerSecond,
    } = written
    const { processes, concurrency, data: dataBytes, tmp: tmpBytes } = written
    const sizes = { memoryMiB: mebibytes(memory), dataBytes, tmpBytes }
    return present({ ...sizes, cpuPercent, processes, openFiles, concurrency, timeoutMs, stallMs, outputBytesPerSecond })
  })

const nameInFile: Readonly<Record<LimitName, string>> = {
  memory: 'memory',
  cpu: 'cpu',
  processes: 'processes',
  'open-files': 'open_files',
  'file-size': 'file_size',
  tmp: 'tmp',
  data: 'data',
  concurrency: 'concurrency',
  time: 'time',
  stall: 'stall',
  message: 'message',
  state: 'state',
  output: 'output',
}
const Action: z.ZodType<LimitAction> = z.enum(['warn', 'refuse', 'restart', 'quarantine'], {
  error: 'must be warn, refuse, restart or quarantine',
})

/** What follows when a limit is gone over, by its name as events tell it. */
export const LimitActions = z
  .strictObject(Object.fromEntries(Object.values(nameInFile).map((name) => [name, Action.optional()])))
  .transform((written): Partial<Record<LimitName, LimitAction>> => {
    const named = Object.entries(nameInFile).map(([limit, name]) => [limit, written[name]])
    return present(Object.fromEntries(named) as Partial<Record<LimitName, LimitAction | undefined>>)
  })

const memberPattern = /^(\*|[^/\s]+\/(\*|[^/\s*]+))$/

const Namespace = z.strictObject({
  plugins: z.array(z.string().regex(memberPattern, { error: 'must be publisher/name, publisher/* or *' })).default([]),
  limits: z.strictObject(shared).prefault({}),
})

/** Groups of plugins with limits they share. */
export const Namespaces = z
  .record(z.string().min(1), Namespace)
  .superRefine((groups, context) => {
    for (const [name, { plugins }] of Object.entries(groups)) {
      // What no group names is in that one.
      if (name === 'default' ? plugins.length === 0 : plugins.length > 0) continue
      const message = name === 'default' ? 'default holds what no group names; leave plugins out' : 'names no plugins'
      context.addIssue({ code: 'custom', path: [name], message })
    }
  })
  .transform((groups): Readonly<Record<string, NamespaceSettings>> => {
    const settings = ({ plugins, limits: written }: z.output<typeof Namespace>): NamespaceSettings => {
      const { memory, cpu_percent: cpuPercent, processes, open_files: openFiles, concurrency, timeout: callMs } = written
      return { plugins, limits: present({ memoryMiB: mebibytes(memory), cpuPercent, processes, openFiles, concurrency, callMs }) }
    }
    return Object.fromEntries(Object.entries(groups).map(([name, group]) => [name, settings(group)]))
  })

function mebibytes(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : Math.ceil(bytes / mebibyte)
}

type Present<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> }

function present<T extends object>(members: T): Present<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Present<T>
}
