import type { Core } from '../core.ts'
import type { Lane } from './dispatcher.ts'
import { kernelErrors } from '../errors.ts'
import { unavailable } from '../points/points.ts'
import type { PointTable } from '../points/point-table.ts'

/** Leads to whatever plugin provides `name` at the moment of the call, starting it when it does not run. */
export function namedLane(core: Core, table: PointTable, name: string): Lane {
  return {
    plugin: () => {
      const binding = table.bindings.get(name)
      if (binding === undefined) throw core.points.missing(table, name)
      return binding.plugin
    },
    generation: (plugin) => {
      if (plugin.serving !== undefined) return plugin.serving
      if (!plugin.usable) throw unavailable(plugin)
      return core.activate(plugin)
    },
  }
}

/** The same for the host, which gets nothing new once it stops; what plugins still finish may call each other. */
export function hostLane(core: Core, table: PointTable, name: string): Lane {
  const { plugin, generation } = namedLane(core, table, name)
  return {
    plugin: () => {
      if (core.stopping.aborted) throw kernelErrors.error('KERNEL_STOPPING')
      return plugin()
    },
    generation,
  }
}
