import { goods } from './goods';

export default function Page() {
  return (
    <main>
      <h1>Magazine</h1>
      <ul>
        {goods.map((name) => (
          <li key={name}>{name}</li>
        ))}
      </ul>
    </main>
  );
}
