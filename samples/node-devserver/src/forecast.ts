export function forecast(city: string) {
  return { city, degrees: 10 + (city.length % 7) };
}
