export function drawCharts(_file: string | undefined): string[] {
  return []
}
