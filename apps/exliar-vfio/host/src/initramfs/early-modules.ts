/** Drivers of graphics adapters: whatever is to take one away from them must be loaded before. */
const graphicsDrivers = new Set([
  'amdgpu',
  'radeon',
  'nouveau',
  'nvidia',
  'nvidia_modeset',
  'nvidia_uvm',
  'nvidia_drm',
  'i915',
  'xe',
  'ast',
  'mgag200',
])

/** Names of modules are the same with hyphens and underscores. */
export function moduleName(name: string): string {
  return name.replaceAll('-', '_')
}

export function isGraphicsDriver(name: string): boolean {
  return graphicsDrivers.has(moduleName(name))
}

/** Whether all that is wanted is loaded, and before every driver of a graphics adapter. */
export function isLoadedEarly(present: readonly string[], wanted: readonly string[]): boolean {
  const names = present.map(moduleName)
  const firstGraphics = names.findIndex(isGraphicsDriver)
  const before = new Set(firstGraphics === -1 ? names : names.slice(0, firstGraphics))
  return wanted.every((name) => before.has(moduleName(name)))
}

/** All others, as they were. */
export function withoutThese(present: readonly string[], unwanted: readonly string[]): readonly string[] {
  const names = new Set(unwanted.map(moduleName))
  return present.filter((name) => !names.has(moduleName(name)))
}

/** The modules in the order they are to be loaded: what is wanted, then all others as they were. */
export function withEarly(present: readonly string[], wanted: readonly string[]): readonly string[] {
  return [...wanted, ...withoutThese(present, wanted)]
}
