// The simulated machine itself: threads, clocks, descriptors, processes, and that a seed says everything.
#include <gtest/gtest.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "kernel.hpp"

namespace legion::sim {
namespace {

using std::chrono::steady_clock;

class KernelTest : public testing::Test {
 protected:
  KernelTest() { kernel.reset(7); }
  void run(Duration how_long) { kernel.run_until(kernel.now() + how_long); }
  Kernel& kernel = Kernel::get();
};

TEST_F(KernelTest, a_sleep_takes_simulated_time) {
  Duration slept{};
  kernel.spawn("one", [&] {
    const auto before = steady_clock::now();
    std::this_thread::sleep_for(10h);
    slept = steady_clock::now() - before;
  });
  run(11h);
  EXPECT_GE(slept, 10h);
  EXPECT_LT(slept, 10h + 1ms);
}

TEST_F(KernelTest, threads_hand_over_through_a_condition_variable) {
  std::vector<int> got;
  kernel.spawn("one", [&] {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<int> queue;
    std::thread producer([&] {
      for (int i = 0; i < 100; ++i) {
        std::this_thread::sleep_for(1ms);
        const std::lock_guard lock(mutex);
        queue.push_back(i);
        changed.notify_one();
      }
    });
    while (got.size() < 100) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return !queue.empty(); });
      got.insert(got.end(), queue.begin(), queue.end());
      queue.clear();
    }
    producer.join();
  });
  run(1s);
  ASSERT_EQ(got.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
}

TEST_F(KernelTest, a_wait_without_news_times_out) {
  bool timed_out = false;
  kernel.spawn("one", [&] {
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    timed_out = never.wait_for(lock, 3s) == std::cv_status::timeout;
  });
  run(2s);
  EXPECT_FALSE(timed_out);
  run(2s);
  EXPECT_TRUE(timed_out);
}

TEST_F(KernelTest, a_mutex_that_is_held_over_a_sleep_keeps_others_out) {
  int inside = 0, most = 0, done = 0;
  kernel.spawn("one", [&] {
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (int i = 0; i < 5; ++i) {
      threads.emplace_back([&] {
        const std::lock_guard lock(mutex);
        most = std::max(most, ++inside);
        std::this_thread::sleep_for(1s);
        --inside;
        ++done;
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  run(6s);
  EXPECT_EQ(most, 1);
  EXPECT_EQ(done, 5);
}

TEST_F(KernelTest, exceptions_stay_with_their_thread) {
  std::vector<std::string> caught;
  const auto thrower = [&](std::string what) {
    return [&caught, what = std::move(what)] {
      try {
        throw std::runtime_error(what);
      } catch (const std::exception& error) {
        std::this_thread::sleep_for(1s);  // the other one throws meanwhile
        caught.emplace_back(error.what());
      }
    };
  };
  kernel.spawn("one", thrower("a"));
  kernel.spawn("two", thrower("b"));
  run(3s);
  std::ranges::sort(caught);
  EXPECT_EQ(caught, (std::vector<std::string>{"a", "b"}));
}

TEST_F(KernelTest, an_eventfd_wakes_who_waits_in_epoll) {
  int woken = 0;
  int fd = -1;
  kernel.spawn("one", [&] {
    fd = ::eventfd(0, 0);
    const int epoll = ::epoll_create1(0);
    epoll_event event{.events = EPOLLIN, .data = {.u64 = 42}};
    ASSERT_EQ(::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    while (woken < 3) {
      epoll_event got{};
      if (::epoll_wait(epoll, &got, 1, 1000) == 0) continue;
      EXPECT_EQ(got.data.u64, 42u);
      std::uint64_t count = 0;
      EXPECT_EQ(::read(fd, &count, sizeof count), 8);
      ++woken;
    }
  });
  for (int i = 0; i < 3; ++i) {
    kernel.after(Duration{5s} * (i + 1), [&] {
      const std::uint64_t one = 1;
      EXPECT_EQ(::write(fd, &one, sizeof one), 8);
    });
  }
  run(12s);
  EXPECT_EQ(woken, 2);
  run(12s);
  EXPECT_EQ(woken, 3);
}

TEST_F(KernelTest, a_killed_process_does_nothing_more) {
  int turns = 0;
  bool told = false;
  bool destroyed = false;
  struct Guard {
    bool& gone;
    ~Guard() { gone = true; }
  };
  const auto process = kernel.spawn("one", [&] {
    const Guard guard{destroyed};
    std::thread other([&] {
      while (true) {
        std::this_thread::sleep_for(1s);
        ++turns;
      }
    });
    other.join();
  });
  process->on_death = [&] { told = true; };
  run(10s + 500ms);
  kernel.kill(*process);
  run(10s);
  EXPECT_EQ(turns, 10);
  EXPECT_TRUE(told);
  EXPECT_FALSE(destroyed);  // as with kill -9
}

TEST_F(KernelTest, a_process_may_kill_itself) {
  int reached = 0;
  kernel.spawn("one", [&] {
    ++reached;
    kernel.kill(*kernel.current());
    ++reached;
  });
  run(1s);
  EXPECT_EQ(reached, 1);
}

TEST_F(KernelTest, a_paused_process_goes_on_where_it_was) {
  int turns = 0;
  const auto process = kernel.spawn("one", [&] {
    while (true) {
      std::this_thread::sleep_for(1s);
      ++turns;
    }
  });
  run(5s + 500ms);
  kernel.pause(*process);
  run(1h);
  EXPECT_EQ(turns, 5);
  kernel.resume(*process);
  run(2s);
  EXPECT_GE(turns, 6);
  EXPECT_LE(turns, 8);
}

TEST_F(KernelTest, a_wall_clock_has_an_offset_and_the_steady_one_has_none) {
  std::chrono::system_clock::time_point here, there;
  steady_clock::time_point steady_here, steady_there;
  kernel.spawn("one", [&] { here = std::chrono::system_clock::now(), steady_here = steady_clock::now(); });
  kernel.spawn("two", [&] { there = std::chrono::system_clock::now(), steady_there = steady_clock::now(); })
      ->wall_offset = 1h;
  run(1s);
  EXPECT_GT(there - here, 59min);
  EXPECT_LT(steady_there - steady_here, 1s);
}

std::uint64_t digest_of(std::uint64_t seed) {
  Kernel& kernel = Kernel::get();
  kernel.reset(seed);
  for (int p = 0; p < 3; ++p) {
    kernel.spawn("p", [] {
      std::random_device chance;
      for (int i = 0; i < 50; ++i) std::this_thread::sleep_for(std::chrono::microseconds(chance() % 1000));
    });
  }
  kernel.run_until(kernel.now() + 1s);
  return kernel.digest();
}

TEST(KernelRuns, a_seed_says_everything) {
  EXPECT_EQ(digest_of(1), digest_of(1));
  EXPECT_NE(digest_of(1), digest_of(2));
}

}  // namespace
}  // namespace legion::sim
