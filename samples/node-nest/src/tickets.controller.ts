import { Body, Controller, Get, Post } from '@nestjs/common';
import { Ticket, TicketsService } from './tickets.service';

@Controller()
export class TicketsController {
  constructor(private readonly tickets: TicketsService) {}

  @Get('health')
  health() {
    return { status: 'up' };
  }

  @Get('tickets')
  all(): Ticket[] {
    return this.tickets.all();
  }

  @Post('tickets')
  open(@Body('subject') subject: string): Ticket {
    return this.tickets.open(subject);
  }
}
