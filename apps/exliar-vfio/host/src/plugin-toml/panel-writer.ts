import type { PanelContent } from '@exliar-vfio/points'
import { alsoInCamelCase } from './also-in-camel-case.ts'

type Item = PanelContent['items'][number]

/** What a plugin in the style of the seed draws a panel with. Source: seed 004, `UiRegistry`. */
export class PanelWriter {
  readonly items: Item[] = []

  heading(text: string): void {
    this.items.push({ kind: 'heading', text })
  }

  text(text: string): void {
    this.items.push({ kind: 'text', text, tone: 'plain' })
  }

  table(columns: readonly string[], rows: readonly (readonly unknown[])[]): void {
    this.items.push({ kind: 'table', columns: [...columns], rows: rows.map((row) => row.map(String)) })
  }

  gauge(label: string, value: number, most: number, unit = ''): void {
    this.items.push({ kind: 'gauge', label, value, most, unit })
  }

  action(id: string, label: string): void {
    this.items.push({ kind: 'action', id, label })
  }

  /** Every member as a line. */
  draw_stats(stats: Readonly<Record<string, unknown>>): void {
    const fields = Object.entries(stats).map(([label, value]) => ({ label, value: String(value), tone: 'plain' as const }))
    this.items.push({ kind: 'fields', fields })
  }
}

alsoInCamelCase(PanelWriter)
