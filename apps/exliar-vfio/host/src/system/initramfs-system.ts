import type { InitramfsSystem } from '@exliar-vfio/points'
import { findProgram } from '../machine/find-program.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
import type { Fact } from './fact.ts'

/** What each brings. */
interface Known {
  readonly system: InitramfsSystem
  readonly program: string
  readonly configuration: readonly string[]
  /** What makes it run when a kernel is installed. */
  readonly hooks: readonly string[]
}

const pacmanHooks = '/usr/share/libalpm/hooks'

const known: readonly Known[] = [
  {
    system: 'mkinitcpio',
    program: 'mkinitcpio',
    configuration: ['/etc/mkinitcpio.conf'],
    hooks: [`${pacmanHooks}/90-mkinitcpio-install.hook`],
  },
  {
    system: 'booster',
    program: 'booster',
    configuration: ['/etc/booster.yaml'],
    hooks: [`${pacmanHooks}/90-booster-install.hook`, `${pacmanHooks}/booster-install.hook`],
  },
  {
    system: 'initramfs-tools',
    program: 'update-initramfs',
    configuration: ['/etc/initramfs-tools/initramfs.conf'],
    hooks: ['/etc/kernel/postinst.d/initramfs-tools'],
  },
  {
    system: 'dracut',
    program: 'dracut',
    configuration: ['/etc/dracut.conf', '/etc/dracut.conf.d'],
    hooks: [
      '/etc/kernel/postinst.d/dracut',
      `${pacmanHooks}/90-dracut-install.hook`,
      '/usr/lib/kernel/install.d/50-dracut.install',
    ],
  },
]

/** Those that exist and are not looked after here. */
const others = ['genkernel', 'mkinitfs', 'ugrd', 'tinyramfs', 'mkinitrd']

/**
 * Which program makes the initial file system. Where several are installed, the one that was chosen, then the only one that
 * runs when a kernel is installed; otherwise it is not known.
 */
export function initramfsSystem(tree: MachineTree): Fact<InitramfsSystem> {
  const installed = known.filter(({ program }) => findProgram(tree, program) !== undefined)
  const candidates = installed.length > 0 ? installed : known.filter(({ configuration }) => firstOf(tree, configuration))
  const [only, second] = candidates
  if (only === undefined) {
    const other = others.find((program) => findProgram(tree, program) !== undefined)
    return other === undefined
      ? { value: 'unknown', evidence: null }
      : { value: 'other', evidence: findProgram(tree, other) ?? null }
  }
  if (second === undefined)
    return { value: only.system, evidence: findProgram(tree, only.program) ?? firstOf(tree, only.configuration) ?? null }
  return chosen(tree, candidates) ?? hooked(tree, candidates) ?? { value: 'unknown', evidence: null }
}

/** Source: kernel-install(8). */
function chosen(tree: MachineTree, candidates: readonly Known[]): Fact<InitramfsSystem> | undefined {
  const path = '/etc/kernel/install.conf'
  const generator = /^\s*initrd_generator\s*=\s*(\S+)/m.exec(tree.glance(path) ?? '')?.[1]
  const found = candidates.find(({ system, program }) => generator === system || generator === program)
  return found === undefined ? undefined : { value: found.system, evidence: path }
}

function hooked(tree: MachineTree, candidates: readonly Known[]): Fact<InitramfsSystem> | undefined {
  const running = candidates.flatMap(({ system, hooks }) => {
    const hook = hooks.find((path) => tree.has(path) && !isMasked(tree, path))
    return hook === undefined ? [] : [{ value: system, evidence: hook }]
  })
  return running.length === 1 ? running[0] : undefined
}

/** An administrator's file of the same name takes a hook's place; a link to nothing takes it away. */
function isMasked(tree: MachineTree, hook: string): boolean {
  return tree.linkName(`/etc/pacman.d/hooks/${hook.split('/').at(-1) ?? ''}`) === 'null'
}

function firstOf(tree: MachineTree, paths: readonly string[]): string | undefined {
  return paths.find((path) => tree.has(path))
}
