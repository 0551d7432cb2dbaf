import { z } from 'zod'
import { PlatformError } from '@backplane/sdk'
import { sha256 } from '../changes/backup-store.ts'
import type { Entry, Executor, Ground, Performed, Standing, Undone } from '../changes/executor.ts'
import { shellQuoted } from '../changes/shell-lines.ts'
import type { DefineDomainStep } from '../changes/step.ts'
import { exliarErrors } from '../errors.ts'
import { domainDiff } from './domain-diff.ts'
import { definedDifferences, domainDifferences } from './same-domain.ts'
import { connectVirsh, type Virsh } from './virsh.ts'

/** A machine's configuration as libvirt has it, passwords included. */
const Defined = z.object({ xml: z.string() })

/**
 * Defines machines. What libvirt has is compared by its meaning: before a change it has to be what the change was made
 * from, and before it is taken back what the change left. `connect` is for tests.
 */
export function domainExecutor(connect: (uri: string) => Virsh = (uri) => connectVirsh({ uri })): Executor<DefineDomainStep> {
  return {
    look: (step, { backups }) => look(connect(step.connection), step, backups),
    perform: (step) => perform(connect(step.connection), step),
    standing: async (entry) => (await standOf(connect, entry)).standing,
    undo: (entry) => undo(connect, entry),
    script,
  }
}

async function look(virsh: Virsh, { domain, was }: DefineDomainStep, backups: Ground['backups']): Promise<unknown> {
  const xml = await virsh.dumpXml(domain, { withPasswords: true })
  const since = domainDifferences(was, xml)
  if (since.length > 0) throw exliarErrors.error('VM_CHANGED_MEANWHILE', { name: domain, what: named(since) })
  await backups.keep(Buffer.from(xml))
  return { xml } satisfies z.output<typeof Defined>
}

async function perform(virsh: Virsh, { domain, xml }: DefineDomainStep): Promise<Performed> {
  await virsh.define(xml)
  const after = await virsh.dumpXml(domain, { withPasswords: true })
  return { after: { xml: after } satisfies z.output<typeof Defined>, notes: [] }
}

interface Stand {
  readonly standing: Standing
  /** Undefined: libvirt knows no such machine any more. */
  readonly now: string | undefined
  /** Where it differs from what the change left. */
  readonly since: readonly string[]
}

async function standOf(connect: (uri: string) => Virsh, { step, before, after }: Entry): Promise<Stand> {
  if (step.kind !== 'define-domain') return { standing: 'other', now: undefined, since: [] }
  const now = await whatIs(connect(step.connection), step.domain)
  if (now === undefined) return { standing: 'other', now, since: [] }
  if (domainDifferences(Defined.parse(before).xml, now).length === 0) return { standing: 'before', now, since: [] }
  const left = Defined.safeParse(after).data?.xml
  // One that was interrupted did not see what libvirt made of it.
  const since = left === undefined ? definedDifferences(step.xml, now) : domainDifferences(left, now)
  return { standing: since.length === 0 ? 'after' : 'other', now, since }
}

async function undo(connect: (uri: string) => Virsh, entry: Entry): Promise<Undone> {
  const { standing, now, since } = await standOf(connect, entry)
  const { step } = entry
  if (step.kind !== 'define-domain' || standing === 'before') return { kind: 'undone', notes: [] }
  const { domain, connection } = step
  if (now === undefined) return { kind: 'kept', reason: `libvirt knows no machine ${domain} any more` }
  const { xml } = Defined.parse(entry.before)
  if (standing === 'other') {
    const reason = `${domain} was changed by somebody else since: ${named(since)}`
    return { kind: 'kept', reason, diff: domainDiff(domain, xml, now) }
  }
  const virsh = connect(connection)
  await virsh.define(xml)
  const missing = domainDifferences(xml, await virsh.dumpXml(domain, { withPasswords: true }))
  if (missing.length === 0) return { kind: 'undone', notes: [] }
  return { kind: 'kept', reason: `${domain} is not what it was after it was defined again: ${named(missing)}` }
}

/** A shell cannot compare meanings, so it compares bytes: libvirt writes the same configuration in the same way. */
function script({ step, before, after }: Entry): readonly string[] {
  if (step.kind !== 'define-domain') return []
  const old = sha256(Defined.parse(before).xml)
  const left = Defined.safeParse(after).data?.xml
  const virsh = `LC_ALL=C virsh --connect ${shellQuoted(step.connection)}`
  const kept = shellQuoted(`the machine ${step.domain}`)
  return [
    `if [ -n "$root" ]; then now=elsewhere; else now=$(${virsh} dumpxml --inactive --security-info --domain ${shellQuoted(step.domain)} | sha256sum | cut -c 1-64); fi`,
    `case $now in`,
    `  ${old}) ;;`,
    ...(left === undefined
      ? []
      : [`  ${sha256(left)}) ${virsh} define "$state/backups/${old}" >/dev/null || say_kept ${kept} ;;`]),
    `  *) say_kept ${kept} ;;`,
    `esac`,
  ]
}

async function whatIs(virsh: Virsh, name: string): Promise<string | undefined> {
  try {
    return await virsh.dumpXml(name, { withPasswords: true })
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'VM_UNKNOWN') return undefined
    throw error
  }
}

const mostNamed = 5

function named(paths: readonly string[]): string {
  const more = paths.length > mostNamed ? ` and ${paths.length - mostNamed} more` : ''
  return paths.slice(0, mostNamed).join(', ') + more
}
