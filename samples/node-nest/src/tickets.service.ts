import { Injectable } from '@nestjs/common';

export interface Ticket {
  number: number;
  subject: string;
}

@Injectable()
export class TicketsService {
  private readonly tickets: Ticket[] = [];

  all(): Ticket[] {
    return this.tickets;
  }

  open(subject: string): Ticket {
    const ticket = { number: this.tickets.length + 1, subject };
    this.tickets.push(ticket);
    return ticket;
  }
}
