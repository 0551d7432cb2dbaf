import { PlatformError } from '@backplane/sdk'
import { exliarErrors } from '../errors.ts'
import { definedDifferences, domainDifferences } from './same-domain.ts'
import type { Virsh } from './virsh.ts'

/** A machine's configuration that is to be replaced by another; both whole, passwords included. */
export interface DefineDomain {
  readonly kind: 'define-domain'
  readonly name: string
  readonly before: string
  readonly after: string
}

/** What libvirt has now. `foreign`: neither; `what` names where it differs from what was left there. */
export type DomainNow =
  | { readonly kind: 'before' }
  | { readonly kind: 'after' }
  | { readonly kind: 'foreign'; readonly what: string }

/** Does such a step, takes it back, and says whether it was done. Errors: those of {@link Virsh}. */
export interface DomainDefiner {
  readonly inspect: (step: DefineDomain) => Promise<DomainNow>
  /** Errors: `VM_CHANGED_MEANWHILE`; nothing is overwritten then. */
  readonly do: (step: DefineDomain) => Promise<void>
  /** Defines the old one again and looks whether libvirt has it. Errors: `VM_CHANGED_MEANWHILE`. */
  readonly undo: (step: DefineDomain) => Promise<void>
  readonly done: (step: DefineDomain) => Promise<boolean>
}

/**
 * Defines machines. What libvirt has is compared by its meaning: before a change it has to be what `before` says, and
 * before it is taken back what `after` says, apart from what libvirt adds by itself.
 */
export function domainDefiner(virsh: Virsh): DomainDefiner {
  const inspect = async (step: DefineDomain): Promise<DomainNow> => {
    const now = await whatIs(virsh, step.name)
    if (now === undefined) return { kind: 'foreign', what: 'it is gone' }
    if (domainDifferences(step.before, now).length === 0) return { kind: 'before' }
    const since = definedDifferences(step.after, now)
    return since.length === 0 ? { kind: 'after' } : { kind: 'foreign', what: named(since) }
  }
  const refuse = (step: DefineDomain, what: string): PlatformError =>
    exliarErrors.error('VM_CHANGED_MEANWHILE', { name: step.name, what })
  return {
    inspect,
    do: async (step) => {
      const now = await inspect(step)
      if (now.kind === 'after') return
      if (now.kind === 'foreign') {
        const since = domainDifferences(step.before, (await whatIs(virsh, step.name)) ?? step.before)
        throw refuse(step, since.length === 0 ? now.what : named(since))
      }
      await virsh.define(step.after)
    },
    undo: async (step) => {
      const now = await inspect(step)
      if (now.kind === 'before') return
      if (now.kind === 'foreign') throw refuse(step, now.what)
      await virsh.define(step.before)
      const back = domainDifferences(step.before, await virsh.dumpXml(step.name, { withPasswords: true }))
      if (back.length > 0) throw refuse(step, named(back))
    },
    done: async (step) => (await inspect(step)).kind === 'after',
  }
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
