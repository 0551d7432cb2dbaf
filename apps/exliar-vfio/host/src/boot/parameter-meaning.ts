/** Each of their occurrences counts, so that another value is no contradiction. */
const repeatable = new Set([
  'console',
  'earlycon',
  'earlyprintk',
  'video',
  'module_blacklist',
  'modprobe.blacklist',
  'initrd',
  'pci',
  'pcie_acs_override',
  'hugepages',
  'hugepagesz',
  'acpi_osi',
  'ivrs_ioapic',
  'ivrs_hpet',
  'ivrs_acpihid',
  'ip',
  'dyndbg',
  'memmap',
  'mem',
  'crashkernel',
])

/** Those of programs that read the line, too: each of theirs may be given again. */
const readAgain = /^(?:rd|luks|systemd)\.|\.dyndbg$/

function isRepeatable(name: string): boolean {
  return repeatable.has(name) || readAgain.test(name)
}

/** Parameters whose values are options of their own; only these exclude each other. Source: kernel-parameters.txt. */
const opposites: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  intel_iommu: { on: ['off'], off: ['on'] },
  amd_iommu: { on: ['off'], off: ['on'] },
  iommu: { pt: ['off', 'nopt'], nopt: ['pt'], off: ['pt', 'force', 'on'], on: ['off'] },
}

/** Their values are lists that add up. */
const lists = new Set(['rd.driver.pre', 'module_blacklist', 'modprobe.blacklist', ...Object.keys(opposites)])

/** The name of a parameter. The kernel takes a hyphen for an underscore. */
function nameOf(parameter: string): string {
  return (/^"?([^="]*)/.exec(parameter)?.[1] ?? '').replaceAll('-', '_')
}

function valueOf(parameter: string): string | undefined {
  const at = parameter.indexOf('=')
  return at === -1 ? undefined : parameter.slice(at + 1).replaceAll('"', '')
}

function listed(parameter: string): readonly string[] {
  return (valueOf(parameter) ?? '').split(',')
}

/** Whether a parameter has this name. */
export function sameParameter(parameter: string, name: string): boolean {
  return nameOf(parameter) === nameOf(name)
}

function excludedBy(wanted: string): readonly string[] | undefined {
  return opposites[nameOf(wanted)]?.[valueOf(wanted) ?? '']
}

/** Whether what stands there does what is wanted. */
export function satisfies(there: string, wanted: string): boolean {
  if (!sameParameter(there, wanted)) return false
  const value = valueOf(wanted)
  if (valueOf(there) === value) return true
  if (value === undefined || !lists.has(nameOf(wanted)) || !listed(there).includes(value)) return false
  return !listed(there).some((option) => excludedBy(wanted)?.includes(option))
}

/** Whether what stands there says the opposite of what is wanted. */
export function contradicts(there: string, wanted: string): boolean {
  if (!sameParameter(there, wanted) || satisfies(there, wanted)) return false
  const excluded = excludedBy(wanted)
  if (excluded !== undefined) return listed(there).some((option) => excluded.includes(option))
  return !isRepeatable(nameOf(wanted)) && !lists.has(nameOf(wanted))
}

/** What contradicts, made to say what is wanted; its other options stay. */
export function reconciled(there: string, wanted: string): string {
  const excluded = excludedBy(wanted)
  const value = valueOf(wanted)
  if (excluded === undefined || value === undefined) return wanted
  const kept = listed(there).filter((option) => !excluded.includes(option) && option !== value)
  return [wanted, ...kept].join(',')
}
