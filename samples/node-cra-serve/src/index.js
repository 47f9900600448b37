import { createRoot } from 'react-dom/client';
import Survey from './Survey';

createRoot(document.getElementById('root')).render(<Survey />);
