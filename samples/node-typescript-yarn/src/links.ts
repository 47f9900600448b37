export class Links {
  private readonly known: string[] = [];

  add(url: string): string {
    this.known.push(url);
    return (this.known.length - 1).toString(36);
  }

  get(key: string): string | undefined {
    return this.known[parseInt(key, 36)];
  }
}
