/*
 * Writes everything in the repository that is generated from its code; with `--check` compares instead, and fails when
 * something is out of date. Run it after a build: API reports come from the declarations in `dist`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readResult } from '../scenarios/hostile/result-file.ts'
import { manifestSchema } from '@backplane/sdk'
import { openapiDocument } from '@backplane/server'
import { apiReport } from './api-report.ts'
import { readErrorCatalogues } from './error-catalogues.ts'
import { errorsPage } from './errors-page.ts'
import { securityPage } from './security-page.ts'
import { readWorkspaces, root } from './workspaces.ts'

const isCheck = process.argv.includes('--check')

/** Workspaces that others import; a program and a plugin have no API. */
const published = readWorkspaces().filter(({ directory }) => /^packages\/|\/points$/.test(directory))

const files: ReadonlyMap<string, string> = new Map([
  ['docs/errors.md', errorsPage(await readErrorCatalogues())],
  ['docs/security.md', securityPage(await readResult())],
  ['packages/sdk/plugin.schema.json', json(manifestSchema)],
  ['packages/server/openapi.json', json(openapiDocument())],
  ...published.map((workspace) => [`api/${reportName(workspace.directory)}.d.ts`, apiReport(workspace)] as const),
])

const stale = [...files].filter(
  ([path, text]) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text,
)
if (!isCheck) {
  for (const [path, text] of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}
for (const [path] of stale) process.stdout.write(isCheck ? `${path} is out of date: run npm run generate\n` : `wrote ${path}\n`)
if (isCheck && stale.length > 0) process.exitCode = 1

const compiler = fileURLToPath(new URL('compile-shape-checks.ts', import.meta.url))
const compiled = spawnSync(process.execPath, [...process.execArgv, compiler, ...process.argv.slice(2)], { stdio: 'inherit' })
if (compiled.status !== 0) process.exitCode = 1

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

/** `packages/sdk` → `sdk`, `apps/hypersdk/points` → `hypersdk-points`. */
function reportName(directory: string): string {
  return directory.split('/').slice(1).join('-')
}
