import { useState } from 'react';

export default function Survey() {
  const [answer, setAnswer] = useState('');
  return (
    <label>
      How was it? <input value={answer} onChange={(event) => setAnswer(event.target.value)} />
    </label>
  );
}
