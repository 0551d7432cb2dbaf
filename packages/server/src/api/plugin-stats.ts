import type { PluginRecord } from '@backplane/kernel'
import type { Point } from '@backplane/sdk'
import type { z } from '@hono/zod-openapi'
import { pluginStatus } from './plugin-status.ts'
import { pluginView } from './plugin-view.ts'
import type { PluginStats } from './routes.ts'

/** Plugins counted. Source: seed 000 "Statistics", seed 002 `GET /api/plugins/stats`. */
export function pluginStats(records: readonly PluginRecord[], points: readonly Point[]): z.output<typeof PluginStats> {
  const byStatus = { loaded: 0, failed: 0, disabled: 0, unloaded: 0 }
  for (const { state } of records) byStatus[pluginStatus(state)] += 1
  const types = records.flatMap((record) => pluginView(record, points).type ?? [])
  const sumOf = (what: 'memoryBytes' | 'cpuPercent' | 'processes'): number =>
    records.reduce((sum, { usage }) => sum + (usage?.[what] ?? 0), 0)
  return {
    total: records.length,
    ...byStatus,
    enabled: records.filter(({ state }) => state.name !== 'disabled').length,
    built_in_count: records.filter(({ origin }) => origin === 'bundled').length,
    namespace_count: new Set(records.map(({ namespace }) => namespace)).size,
    by_type: Object.fromEntries(
      Object.entries(Object.groupBy(types, (type) => type)).map(([type, all]) => [type, all?.length ?? 0]),
    ),
    by_status: byStatus,
    resources: { memory_bytes: sumOf('memoryBytes'), cpu_percent: sumOf('cpuPercent'), processes: sumOf('processes') },
  }
}
