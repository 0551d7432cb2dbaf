/** How the settings of a plugin change from one version to another, by name. */
export interface SettingsChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Of another shape than before. */
  readonly changed: readonly string[]
  /** Have to be given now and had not before. */
  readonly required: readonly string[]
}

/** Compares two JSON Schemas of settings, as far as they name properties. */
export function settingsChange(from: unknown, to: unknown): SettingsChange {
  const [before, after] = [propertiesOf(from), propertiesOf(to)]
  const neededBefore = new Set(requiredOf(from))
  return {
    added: Object.keys(after).filter((name) => !Object.hasOwn(before, name)),
    removed: Object.keys(before).filter((name) => !Object.hasOwn(after, name)),
    changed: Object.keys(after).filter(
      (name) => Object.hasOwn(before, name) && JSON.stringify(before[name]) !== JSON.stringify(after[name]),
    ),
    required: requiredOf(to).filter((name) => !neededBefore.has(name)),
  }
}

function propertiesOf(schema: unknown): Readonly<Record<string, unknown>> {
  const properties: unknown = Reflect.get(Object(schema), 'properties')
  return typeof properties === 'object' && properties !== null ? (properties as Readonly<Record<string, unknown>>) : {}
}

function requiredOf(schema: unknown): readonly string[] {
  const required: unknown = Reflect.get(Object(schema), 'required')
  return Array.isArray(required) ? required.filter((name) => typeof name === 'string') : []
}
