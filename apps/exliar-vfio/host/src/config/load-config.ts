import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { didYouMean } from '@backplane/sdk'
import { z } from 'zod'
import { exliarErrors } from '../errors.ts'
import { readToml } from '../toml/read-toml.ts'
import { ConfigFile, type ExliarConfig, standardConfigFiles } from './exliar-config.ts'

/**
 * Reads the configuration: the file that is named, or the first of the standard ones that is there, or none. Relative paths
 * are relative to the file. Errors: `SETTINGS_UNREADABLE`, `TOML_INVALID`, `SETTINGS_INVALID` with file, line and column.
 */
export async function loadConfig(
  named: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ExliarConfig> {
  if (named !== undefined) return configOf(resolve(named), await read(named))
  for (const file of standardConfigFiles(env)) {
    const text = await read(file).catch((error: Error & { cause?: { code?: string } }) => {
      if (error.cause?.code === 'ENOENT') return undefined
      throw error
    })
    if (text !== undefined) return configOf(file, text)
  }
  return { ...ConfigFile.parse({}), file: undefined, locate: () => 'no configuration' }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code = 'unreadable' } = error as { code?: string }
    throw exliarErrors.error('SETTINGS_UNREADABLE', { file, reason: code }, { cause: error })
  }
}

function configOf(file: string, text: string): ExliarConfig {
  const toml = readToml(text, file)
  const parsed = ConfigFile.safeParse(toml.value)
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) => problemsOf(issue, toml.locate))
    const [first = ''] = problems
    throw exliarErrors.error('SETTINGS_INVALID', { first, more: more(problems.length - 1) }, { details: { problems } })
  }
  const inFile = (path: string): string => resolve(dirname(file), path)
  const { plugins, vm, secrets } = parsed.data
  return {
    plugins: {
      ...plugins,
      directories: plugins.directories.map(inFile),
      ...(plugins.trust_policy === undefined ? {} : { trust_policy: inFile(plugins.trust_policy) }),
    },
    vm,
    secrets: secrets.directory === undefined ? secrets : { directory: inFile(secrets.directory) },
    file,
    locate: toml.locate,
  }
}

function problemsOf(issue: z.core.$ZodIssue, locate: ExliarConfig['locate']): readonly string[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol')
  if (issue.code !== 'unrecognized_keys') return [`${locate(path)}: ${[...path, ''].join('.').slice(0, -1)} ${issue.message}`]
  return issue.keys.map((key) => {
    const at = [...path, key]
    return `${locate(at)}: the key ${at.join('.')} is not known${didYouMean(key, knownKeys(path))}`
  })
}

/** Keys the schema knows in a table of the file. */
function knownKeys(path: readonly (string | number)[]): readonly string[] {
  let here: unknown = z.toJSONSchema(ConfigFile, { io: 'input' })
  for (const part of path) here = Reflect.get(Object(Reflect.get(Object(here), 'properties')), part)
  return Object.keys(Object(Reflect.get(Object(here), 'properties')) as object)
}

function more(count: number): string {
  return count < 1 ? '' : ` (and ${count} more)`
}
