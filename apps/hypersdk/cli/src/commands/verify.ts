import type { Command } from 'commander'
import type { Runner, Session } from '../session.ts'
import { bytesText, clipped, highlight, printable, printableJson, StatusLine } from '@backplane/terminal'

interface Progress {
  readonly path: string
  readonly bytes_done: number
  readonly bytes_total: number
}

interface VerifiedFile {
  readonly path: string
  readonly status: string
}

interface Verification {
  readonly ok: boolean
  readonly files: readonly VerifiedFile[]
}

/** Adds `verify`. */
export function addVerifyCommand(program: Command, run: Runner): void {
  program
    .command('verify <job>')
    .description("read a completed job's files again and compare them with its manifest")
    .addHelpText(
      'after',
      `
Examples:
  hyperctl verify job-20261121-101500-1433f3
  hyperctl verify job-20261121-101500-1433f3 --json | jq '.files[] | select(.status != "intact")'

The daemon reads the files; Ctrl-C ends that. Ends with 0 when every file is intact, else with 1.`,
    )
    .action(run(async (session, job: string) => verifyJob(session, job)))
}

async function verifyJob({ api, terminal, json }: Session, id: string): Promise<number> {
  const line = new StatusLine(terminal)
  for await (const { event, data } of api.events(`/jobs/${encodeURIComponent(id)}/verify/events`)) {
    if (event === 'progress' && terminal.live && !json) {
      const { path, bytes_done, bytes_total } = data as Progress
      const percent = bytes_total === 0 ? 100 : Math.floor((bytes_done / bytes_total) * 100)
      const text = `${percent}%  ${bytesText(bytes_done)} of ${bytesText(bytes_total)}  ${printable(path)}`
      line.replace(clipped(text, Math.max(20, terminal.columns() - 1)))
    }
    if (event === 'file' && !json) {
      const { path, status } = data as VerifiedFile
      line.end()
      terminal.out(`${highlight(terminal, status === 'intact' ? 'green' : 'red', printable(status))}  ${printable(path)}\n`)
    }
    if (event !== 'end') continue
    const { ok } = data as Verification
    if (json) terminal.out(`${printableJson(data, 2)}\n`)
    return ok ? 0 : 1
  }
  return 1
}
