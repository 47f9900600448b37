import './style.css';
import { figures } from './figures.js';

document.querySelector('#app').textContent = `${figures.length} figures`;
