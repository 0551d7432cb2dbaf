import { durationMs, sizeBytes } from '@backplane/kernel'
import { z } from 'zod'
import { quantity } from './plugin-limits.ts'

const Path = z.string().min(1, { error: 'must not be empty' })
const places = ['files', 'environment', 'encrypted', 'command'] as const

/** Where a secret may be looked up. */
export type SecretsPlace = (typeof places)[number]

const patternRule = 'must be the name of a secret, or how names begin and *: "team-*"'
const Patterns = z.array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\*?$/, { error: patternRule }))

/** Where `${secret:…}` is looked up. */
export const Secrets = z.strictObject({
  /** A directory with one file per secret, readable by the daemon alone. */
  files: Path.optional(),
  /** `${secret:do-token}` is also looked up as this and `DO_TOKEN`. */
  environment_prefix: z.string().min(1).default('HYPERSDK_SECRET_'),
  /** A file that `backplane secrets` writes, and what opens it. */
  encrypted: z
    .strictObject({ file: Path, key_file: Path.optional(), keyring: z.string().min(1).optional() })
    .refine(({ key_file: file, keyring }) => (file === undefined) !== (keyring === undefined), {
      error: 'needs either key_file or keyring',
    })
    .optional(),
  /** A command that prints a secret: program and arguments; {name} in them is the name, which else comes last. No shell. */
  command: z
    .strictObject({
      argv: z
        .array(z.string())
        .min(1)
        .refine(([program]) => program?.startsWith('/'), { error: 'must begin with an absolute path' }),
      /** Variables of the daemon that it is given; all others it is not. */
      environment: z.array(z.string().min(1)).default([]),
      timeout: quantity(durationMs, 'must be a duration with a unit, such as "10s"', 1).default(10_000),
      max_size: quantity(sizeBytes, 'must be a size with a unit, such as "64KiB"', 1).default(64 * 1024),
    })
    .optional(),
  /** The first that has a secret answers. */
  order: z.array(z.enum(places)).default([...places]),
  /** Secrets that a plugin may read beside those that its settings name, by its id or the part after the slash. */
  allow: z.record(z.string(), Patterns).default({}),
})

/** Where `${secret:…}` is looked up; paths are absolute. */
export interface SecretsConfig {
  readonly directory: string | undefined
  readonly environmentPrefix: string
  readonly encrypted: { readonly file: string; readonly keyFile: string | undefined; readonly keyring: string } | undefined
  readonly command:
    | {
        readonly argv: readonly string[]
        readonly environment: readonly string[]
        readonly timeoutMs: number
        readonly maxBytes: number
      }
    | undefined
  readonly order: readonly SecretsPlace[]
  /** Patterns by plugin. */
  readonly allow: ReadonlyMap<string, readonly string[]>
}

/** What the file says. */
export function secretsConfig(raw: z.output<typeof Secrets>, absolute: (path: string) => string): SecretsConfig {
  const { encrypted, command } = raw
  return {
    directory: raw.files === undefined ? undefined : absolute(raw.files),
    environmentPrefix: raw.environment_prefix,
    encrypted: encrypted && {
      file: absolute(encrypted.file),
      keyFile: encrypted.key_file === undefined ? undefined : absolute(encrypted.key_file),
      keyring: encrypted.keyring ?? '',
    },
    command: command && {
      argv: command.argv,
      environment: command.environment,
      timeoutMs: command.timeout,
      maxBytes: command.max_size,
    },
    order: raw.order,
    allow: new Map(Object.entries(raw.allow)),
  }
}
