//! The proleptic Gregorian calendar as days since 1970-01-01: `days_from_civil` and `civil_from_days` of
//! <https://howardhinnant.github.io/date_algorithms.html>. Years begin in March, so that the leap day is their last.

const DAYS_OF_400_YEARS: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: i64,
    /// From 1.
    pub(super) day: i64,
}

impl Day {
    /// `None` if the calendar has no such day.
    pub(super) fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let is_known = (1..=12).contains(&month) && (1..=length_of_month(year, month)).contains(&day);
        is_known.then_some(Self { year, month, day })
    }

    /// Days since 1970-01-01.
    pub(super) fn number(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * DAYS_OF_400_YEARS + day_of_era - DAYS_BEFORE_1970
    }

    /// The day that is so many days after 1970-01-01.
    pub(super) fn from_number(number: i64) -> Self {
        let days = number + DAYS_BEFORE_1970;
        let (era, day_of_era) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        Self { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
    }
}

/// In days. `month` is from 1 to 12.
pub(super) fn length_of_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_of_ten_thousand_years_follows_the_one_before() {
        let mut expected = Day { year: 0, month: 1, day: 1 };
        for number in -719_528..=2_932_896 {
            assert_eq!(Day::from_number(number), expected);
            assert_eq!(expected.number(), number);
            let Day { year, month, day } = expected;
            expected = Day::new(year, month, day + 1).or_else(|| Day::new(year, month + 1, 1)).unwrap_or(Day {
                year: year + 1,
                month: 1,
                day: 1,
            });
        }
        assert_eq!(expected, Day { year: 10_000, month: 1, day: 1 });
        assert_eq!(Day::from_number(0), Day { year: 1970, month: 1, day: 1 });
    }
}
