import { durationMs, sizeBytes } from '@backplane/kernel'
import { z } from 'zod'
import type { Environment } from './default-places.ts'
import type { ScannerConfig } from './host-config.ts'
import { quantity } from './plugin-limits.ts'

const Scanner = z
  .strictObject({
    /** Program, an absolute path, and arguments; `{directory}` in them is where the package lies. No shell. */
    argv: z
      .array(z.string())
      .min(1)
      .refine(([program]) => program?.startsWith('/'), { error: 'must begin with an absolute path' })
      .optional(),
    /** Instead of a command: the full id of a plugin that provides a scanner of this name. */
    plugin: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]*\/[a-z0-9][a-z0-9-]*$/, { error: 'must be a full id, publisher/name' })
      .optional(),
    /** Digest of the only package of the plugin that counts, signed or not. */
    digest: z
      .string()
      .regex(/^sha256:[0-9a-f]{64}$/, { error: 'must be sha256: and 64 small hexadecimal digits' })
      .optional(),
    /** Variables of the daemon that a command is given; all others it is not. */
    environment: z.array(z.string().min(1)).optional(),
    timeout: quantity(durationMs, 'must be a duration with a unit, such as "60s"', 1).default(60_000),
    /** Of a command. */
    max_output: quantity(sizeBytes, 'must be a size with a unit, such as "1MiB"', 1).optional(),
    /** How long what it found of the same bytes counts. */
    fresh: quantity(durationMs, 'must be a duration with a unit, such as "24h"', 0).default(24 * 3_600_000),
    /** A machine of a command's own that it can only read (bubblewrap). */
    sandbox: z.boolean().optional(),
    /** Whether a command has a network there. */
    network: z.boolean().optional(),
  })
  .superRefine((written, context) => {
    const problem = (path: readonly string[], message: string): void =>
      context.addIssue({ code: 'custom', path: [...path], message })
    const { argv, plugin, digest } = written
    if ((argv === undefined) === (plugin === undefined)) problem([], 'must have either argv, a command, or plugin, an id')
    if (digest !== undefined && plugin === undefined) problem(['digest'], 'is for a plugin')
    for (const key of ofCommands) {
      if (plugin !== undefined && written[key] !== undefined)
        problem([key], 'is for a command: what a plugin may is in its permissions')
    }
  })

const ofCommands = ['environment', 'max_output', 'sandbox', 'network'] as const

/** What looks through packages, by name; `static` is the scanner that is built in. */
export const Scanners = z.record(
  z.string().regex(/^(?!static$)[a-z0-9][a-z0-9-]{0,31}$/, {
    error: 'must be a name of small letters, digits and -, and not "static"',
  }),
  Scanner,
)

/** What the file says. */
export function scannersOf(raw: z.output<typeof Scanners>, env: Environment): readonly ScannerConfig[] {
  return Object.entries(raw).map(([name, written]) => {
    const { argv = [], plugin, digest, timeout: timeoutMs, fresh: freshMs } = written
    if (plugin !== undefined) return { kind: 'plugin', name, plugin, digest, timeoutMs, freshMs }
    const { environment = [], max_output: maxBytes = 1024 * 1024, sandbox = true, network = false } = written
    const [program = '', ...args] = argv
    const given = environment.flatMap((variable) => (env[variable] === undefined ? [] : [[variable, env[variable]] as const]))
    return {
      kind: 'command',
      name,
      argv: [program, ...args],
      env: Object.fromEntries(given),
      timeoutMs,
      maxBytes,
      freshMs,
      sandbox,
      network,
    }
  })
}
