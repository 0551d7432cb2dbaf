import type { ErrorSpec } from '@backplane/sdk'
import type { PackageErrors } from './error-catalogues.ts'

const introduction = `# Errors

Every error of the platform is a \`PlatformError\` with one of these codes. Programs compare the code; the message names
the culprit; the hint says what to do now. *HTTP* is the status an API answers with, *exit* the code a command line ends
with, *again* whether the same call may succeed later without anybody changing anything. \`{name}\` is filled in.

Generated from the catalogues by \`npm run generate\`.
`

/** \`docs/errors.md\`. */
export function errorsPage(packages: readonly PackageErrors[]): string {
  return [introduction, ...packages.map(section)].join('\n')
}

function section({ package: name, specs }: PackageErrors): string {
  const rows = [...specs].sort(([one], [other]) => (one < other ? -1 : 1)).map(([code, spec]) => row(code, spec))
  return `## ${name}\n\n| code | message | HTTP | exit | again | what to do |\n|---|---|---:|---:|---|---|\n${rows.join('')}`
}

function row(code: string, { message, status, exit, retryable, hint }: ErrorSpec): string {
  return `| \`${code}\` | ${cell(message)} | ${status} | ${exit} | ${retryable ? 'yes' : 'no'} | ${cell(hint)} |\n`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}
